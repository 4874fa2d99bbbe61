"""Every name on the broker, spelled once: exchanges, queues and routing keys.

One topic exchange carries the changes. A message's routing key is the scope that it is about, so the bindings of an
agent's queue mirror the hierarchy: `global`, `app.<app>`, `env.<app>.<environment>`.
"""

from shared.domain.scope import Lineage, Scope

CHANGES_EXCHANGE = "trimtab.changes"
"""Durable topic exchange; the relay's leader is its only publisher."""

SCHEMA_HEADER = "trimtab-schema"
"""Message header that carries the schema's major number, so that a reader can refuse without parsing."""


def routing_key(scope: Scope) -> str:
    """The routing key of messages about `scope`."""
    return str(scope)


def binding_keys(app_id: str, environment: str) -> tuple[str, ...]:
    """The three keys to which the queue of an agent of this app/environment is bound."""
    return tuple(routing_key(scope) for scope in Lineage.of(app_id, environment))


def agent_queue(app_id: str, environment: str, instance: str) -> str:
    """The agent's own queue: exclusive to its connection, gone with it."""
    return f"trimtab.agent.{app_id}.{environment}.{instance}"

"""What an agent may do on the broker, in the words of RabbitMQ's OAuth 2 plugin. Pure.

A scope of that plugin is `<resource server>.<right>:<vhost>/<name>[/<routing key>]`, each part percent-encoded, `*`
standing for anything. Nothing is granted but what is listed here: an agent cannot publish, for it has no right to write
to an exchange, and a binding needs the right to read its very key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from shared.wire.topology import CHANGES_EXCHANGE, agent_queue, binding_keys

RESOURCE_SERVER = "trimtab"
"""The audience of the credentials: `auth_oauth2.resource_server_id` of the broker."""
ISSUER = "trimtab"
DEFAULT_VHOST = "/"


@dataclass(frozen=True, slots=True)
class BrokerIdentity:
    """Whom a credential is for: one agent of an app/environment."""

    app_id: str
    environment: str
    instance: str

    @property
    def name(self) -> str:
        """What the broker calls the one who is connected."""
        return f"agent/{self.app_id}/{self.environment}/{self.instance}"


@dataclass(frozen=True, slots=True)
class BrokerCredential:
    """What an agent shows the broker, for so many seconds."""

    username: str
    password: str
    expires_in: int


def vhost_of(amqp_url: str) -> str:
    """The virtual host that a URL names."""
    return unquote(urlsplit(amqp_url).path.removeprefix("/")) or DEFAULT_VHOST


def scopes_of(identity: BrokerIdentity, vhost: str) -> list[str]:
    """The agent's own queues, and the three keys that concern it: to listen, and nothing else."""
    host, queues = _quoted(vhost), _quoted(agent_queue(identity.app_id, identity.environment, identity.instance)) + ".*"
    own = [f"{RESOURCE_SERVER}.{right}:{host}/{queues}" for right in ("configure", "write", "read")]
    keys = binding_keys(identity.app_id, identity.environment)
    listening = f"{RESOURCE_SERVER}.read:{host}/{_quoted(CHANGES_EXCHANGE)}"
    return own + [f"{listening}/{_quoted(key)}" for key in keys]


def claims_of(identity: BrokerIdentity, vhost: str, now: int, lifetime: int) -> Mapping[str, object]:
    """What the credential says."""
    return {
        "iss": ISSUER,
        "aud": [RESOURCE_SERVER],
        "sub": identity.name,
        "client_id": identity.name,
        "iat": now,
        "exp": now + lifetime,
        "scope": scopes_of(identity, vhost),
    }


def _quoted(text: str) -> str:
    return quote(text, safe="")

"""Entries for an agent to see: flags, and configs under a rollout."""

from datetime import UTC, datetime

from shared.domain.codec import Json, canonical
from shared.domain.entry import Entry, known_kind
from tests.fakes.snapshots import following
from tests.integration.test_local_api import Agent

START = datetime(2027, 1, 15, 8, tzinfo=UTC)
WHEN = {"attribute": "country", "op": "eq", "values": ["SE"]}
FLAG = {
    "variants": {"on": True, "off": False},
    "default": "off",
    "rules": [
        {"when": WHEN, "serve": "on"},
        {"when": {"attribute": "age", "op": "gte", "values": [65]}, "serve": "on"},
        {"when": {"attribute": "groups", "op": "in", "values": ["beta"]}, "serve": "on"},
        {"when": {"attribute": "agent.label.region", "op": "eq", "values": ["mars"]}, "serve": "on"},
    ],
}


def entry(key: str, document: Json, kind: str = "value", rollout: Json = None) -> Entry:
    exposed = b"" if rollout is None else canonical(rollout)
    value = b"" if kind == "inherit" else canonical(document)
    return Entry(key, known_kind(kind), value, 1, 5, rollout=exposed)


def exposure(*weights: tuple[int, int], **more: Json) -> Json:
    return {
        "schema": 1, "id": "0b3a4c1e-0000-4000-8000-000000000001", "strategy": "percentage", "phase": "progressing",
        "step": 0, "kind": "value", "candidate": "new", "salt": "s", "unit": "targetingKey", "bucketing": "trimtab",
        "weights": [list(each) for each in weights],
    } | more  # fmt: skip


def seeing(it: Agent, *entries: Entry) -> None:
    """Have the agent see these entries in its environment."""
    base = it.store.current.revision
    it.live(following(it.store.current, base + 1, {each.key: each for each in entries}))

"""What every contender is given: one value, a snapshot of 38 KB, and 500 flags with the same rule."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.rivals import COUNTRIES, GROUPS
from shared.domain.codec import Json, canonical
from shared.domain.entry import Entry, Kind

KEY = "db.primary"
FLAG = "checkout.flow-000"
FLAGS = 500
SNAPSHOT_CONFIGS = 190
"""So many make a document of 38 KB."""

ONE_OF_THEM = "4711"
WHO = "targetingKey=user-@&groups=all,beta&country=SE"
CONTEXT = '{"targetingKey":"user-@","groups":["all","beta"],"country":"SE"}'


@dataclass(frozen=True, slots=True)
class Material:
    """The bytes that ours answers, for others to serve."""

    value: bytes
    snapshot: bytes


def value() -> Json:
    """A value of 121 bytes."""
    return {"host": "db-7.prod.internal", "port": 5432, "pool": {"min": 4, "max": 32}, "tls": True, "note": "x" * 33}


def values() -> Iterator[Entry]:
    """The configs of a snapshot of 38 KB, that one among them."""
    yield Entry(KEY, Kind.VALUE, canonical(value()), 1, 1)
    for number in range(SNAPSHOT_CONFIGS - 1):
        yield Entry(f"app.key-{number:03}", Kind.VALUE, canonical(f"https://service-{number}.internal"), 1, 1)


def flags(count: int) -> Iterator[Entry]:
    """Flags: country and group in lists, then on for 30 % by bucket."""
    when = {
        "all": [
            {"attribute": "country", "op": "in", "values": COUNTRIES},
            {"attribute": "groups", "op": "in", "values": GROUPS},
        ]
    }
    split = [{"variant": "on", "weight": 30_000}, {"variant": "off", "weight": 70_000}]
    for key in names(count):
        document = {"variants": {"on": True, "off": False}, "default": "off", "rules": [{"when": when, "split": split}]}
        yield Entry(key, Kind.FLAG, canonical(document), 1, 1)


def names(count: int) -> list[str]:
    """The flags' keys."""
    return [f"checkout.flow-{number:03}" for number in range(count)]


def flagd_document(count: int) -> Json:
    """The same flags for flagd."""
    groups_in = {"or": [{"in": [group, {"var": "groups"}]} for group in GROUPS]}
    condition = {"and": [{"in": [{"var": "country"}, COUNTRIES]}, groups_in]}
    targeting = {"if": [condition, {"fractional": [["on", 30], ["off", 70]]}, "off"]}
    variants = {"on": True, "off": False}
    flag = {"state": "ENABLED", "variants": variants, "defaultVariant": "off", "targeting": targeting}
    return {"flags": dict.fromkeys(names(count), flag)}


def unleash_document(count: int, project: str, environment: str) -> Json:
    """The same flags for Unleash, in the form that its import takes. Its contexts have no lists: one group each."""
    constraints = [
        {"contextName": "country", "operator": "IN", "values": COUNTRIES},
        {"contextName": "group", "operator": "IN", "values": GROUPS},
    ]
    keys = names(count)
    strategies = [
        {
            "name": "flexibleRollout",
            "featureName": key,
            "parameters": {"rollout": "30", "stickiness": "userId", "groupId": key},
            "constraints": constraints,
            "segments": [],
        }
        for key in keys
    ]
    switched = [{"enabled": True, "featureName": key, "environment": environment, "name": key} for key in keys]
    document = {
        "features": [{"name": key, "description": "", "type": "release", "project": project} for key in keys],
        "featureStrategies": strategies,
        "featureEnvironments": switched,
        "contextFields": [],
        "featureTags": [],
        "segments": [],
        "tagTypes": [],
    }
    return {"project": project, "environment": environment, "data": document}

"""One flag in every engine, in one process and by turns: `python -m bench.rivals LIBRARIES SECONDS` prints JSON.

The flag: country in a list of five and one group in a list of two → on for 30 % of users by bucket. Every engine keeps
its rules in memory and reports nothing; contexts are built beforehand in the engine's own form.
"""

import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from time import process_time_ns
from typing import Any

from shared.domain.codec import canonical, encode
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.program import Program
from shared.domain.resolution import Effective
from shared.domain.scope import Level

USERS = 1_000
ROUNDS = 9
COUNTRIES = ["SE", "NO", "DK", "FI", "IS"]
GROUPS = ["beta", "staff"]
KEY = "checkout"
NOW = 1_700_000_000_000

Loop = Callable[[], list[bool]]
"""Evaluates the flag once for each user; gives back for whom it is on."""


def users() -> Iterator[tuple[str, str, list[str]]]:
    """Who asks: most of them pass both conditions."""
    for number in range(USERS):
        country = "DE" if number % 10 == 0 else COUNTRIES[number % 5]
        yield f"user-{number:06}", country, ["all", "beta" if number % 10 != 1 else "none"]


def trimtab(bucketing: str = "trimtab", salt: str = KEY) -> Loop:
    """Ours, by a bucketing of its own or of another engine."""
    when = {
        "all": [
            {"attribute": "country", "op": "in", "values": COUNTRIES},
            {"attribute": "groups", "op": "in", "values": GROUPS},
        ]
    }
    split = [{"variant": "on", "weight": 30_000}, {"variant": "off", "weight": 70_000}]
    rule = {"when": when, "split": split, "bucketing": bucketing, "salt": salt}
    flag = {"variants": {"on": True, "off": False}, "default": "off", "rules": [rule]}
    entry = Entry(KEY, Kind.FLAG, canonical(flag), 1, 1)
    evaluate = Program.of({KEY: Effective(Level.ENVIRONMENT, entry)}).evaluate
    contexts = [EvaluationContext(user, tuple(groups), {"country": country}) for user, country, groups in users()]

    def loop() -> list[bool]:
        found = []
        for context in contexts:
            resolution = evaluate(KEY, context, NOW)
            found.append(resolution is not None and resolution.variant == "on")
        return found

    return loop


def growthbook() -> Loop:
    """GrowthBook's SDK."""
    condition = {"country": {"$in": COUNTRIES}, "groups": {"$in": GROUPS}}
    rule = {"condition": condition, "force": True, "coverage": 0.3, "hashAttribute": "id"}
    engine = import_module("growthbook").GrowthBook(features={KEY: {"defaultValue": False, "rules": [rule]}})
    contexts = [{"id": user, "country": country, "groups": groups} for user, country, groups in users()]

    def loop() -> list[bool]:
        found = []
        for context in contexts:
            engine.set_attributes(context)
            found.append(engine.is_on(KEY))
        return found

    return loop


def launchdarkly() -> Loop:
    """LaunchDarkly's SDK with its file data source."""
    library = import_module("ldclient")
    files = import_module("ldclient.integrations").Files
    clauses = [
        {"attribute": "country", "op": "in", "values": COUNTRIES, "contextKind": "user"},
        {"attribute": "groups", "op": "in", "values": GROUPS, "contextKind": "user"},
    ]
    weights = [{"variation": 0, "weight": 30_000}, {"variation": 1, "weight": 70_000}]
    flag = {
        "key": KEY,
        "version": 1,
        "on": True,
        "salt": "s",
        "variations": [True, False],
        "offVariation": 1,
        "fallthrough": {"variation": 1},
        "rules": [{"id": "r", "clauses": clauses, "rollout": {"variations": weights}}],
    }
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        Path(file.name).write_bytes(encode({"flags": {KEY: flag}}))
        source = files.new_data_source(paths=[file.name])
        client = library.LDClient(library.Config("sdk-key", update_processor_class=source, send_events=False))
    build = library.Context.builder
    contexts = [build(user).set("country", country).set("groups", groups).build() for user, country, groups in users()]
    return lambda: [client.variation(KEY, context, False) for context in contexts]


def unleash() -> Loop:
    """Unleash's SDK; its contexts have no lists, so each user is in one group."""
    library = import_module("UnleashClient")
    constraints = [
        {"contextName": "country", "operator": "IN", "values": COUNTRIES},
        {"contextName": "group", "operator": "IN", "values": GROUPS},
    ]
    parameters = {"rollout": "30", "stickiness": "userId", "groupId": KEY}
    strategy = {"name": "flexibleRollout", "parameters": parameters, "constraints": constraints}
    features = [{"name": KEY, "enabled": True, "type": "release", "strategies": [strategy]}]
    cache = import_module("UnleashClient.cache").FileCache("bench", directory=tempfile.mkdtemp())
    cache.bootstrap_from_dict({"version": 1, "features": features})
    client = library.UnleashClient(
        "http://127.0.0.1:9/", "bench", cache=cache, disable_metrics=True, disable_registration=True
    )
    client.initialize_client(fetch_toggles=False)
    contexts = [
        {"userId": user, "properties": {"country": country, "group": groups[1]}} for user, country, groups in users()
    ]
    return lambda: [client.is_enabled(KEY, context) for context in contexts]


def flagd() -> Loop:
    """The evaluator of flagd for Python."""
    engine = import_module("openfeature.contrib.tools.flagd.core").FlagdCore()
    made = import_module("openfeature.evaluation_context").EvaluationContext
    groups_in = {"or": [{"in": [group, {"var": "groups"}]} for group in GROUPS]}
    condition = {"and": [{"in": [{"var": "country"}, COUNTRIES]}, groups_in]}
    targeting = {"if": [condition, {"fractional": [["on", 30], ["off", 70]]}, "off"]}
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", "targeting": targeting}
    engine.set_flags({"flags": {KEY: flag}})
    contexts = [made(user, {"country": country, "groups": groups}) for user, country, groups in users()]
    return lambda: [engine.resolve_boolean_value(KEY, False, context).value for context in contexts]


ENGINES: dict[str, tuple[Callable[[], Loop], str, str]] = {
    "trimtab": (trimtab, "trimtab", KEY),
    "growthbook": (growthbook, "growthbook-v1", KEY),
    "launchdarkly": (launchdarkly, "launchdarkly", f"{KEY}.s"),
    "unleash": (unleash, "unleash", KEY),
    "flagd-core": (flagd, "flagd-cbor", KEY),
}
"""Each with our bucketing and salt for those who move from it."""


def compare(seconds: float) -> dict[str, dict[str, Any]]:
    """The best time of each engine per call, in nanoseconds of CPU; or why it could not be measured.

    `moved` is for how many users our bucketing for those who move from it decides otherwise.
    """
    loops: dict[str, Loop] = {}
    found: dict[str, dict[str, Any]] = {}
    for name, (made, bucketing, salt) in ENGINES.items():
        try:
            loops[name] = made()
            theirs, ours = loops[name](), trimtab(bucketing, salt)()
            moved = sum(one != other for one, other in zip(theirs, ours, strict=True))
            found[name] = {"on": sum(theirs), "moved": moved, "ns": float("inf")}
        except Exception as error:  # noqa: BLE001 - another version of a library may be anything
            loops.pop(name, None)
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    for _ in range(ROUNDS):
        for name, loop in loops.items():
            found[name]["ns"] = min(found[name]["ns"], _measure(loop, seconds))
    return found


def _measure(loop: Loop, seconds: float) -> float:
    calls, began = 0, process_time_ns()
    while (spent := process_time_ns() - began) < seconds * 1e9:
        loop()
        calls += USERS
    return spent / calls


if __name__ == "__main__":
    logging.disable()
    sys.path.append(sys.argv[1])
    sys.stdout.buffer.write(encode(compare(float(sys.argv[2]))))
    sys.stdout.flush()
    sys.exit()

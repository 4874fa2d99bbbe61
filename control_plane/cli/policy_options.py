"""How the parts of a policy are given on the command line."""

import re

from control_plane.cli.terminal import EXIT_USAGE, fail
from control_plane.cli.values import read_value
from shared.domain.codec import Json

_TIME = re.compile(r"(\d{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_CRON_FIELDS = 5


def read_seconds(text: str) -> int:
    """How long `30m`, `8h` or `7d` is."""
    found = _TIME.fullmatch(text)
    if found is None:
        fail(f"{text!r} is no length of time: give 30m, 8h or 7d", EXIT_USAGE)
    return int(found[1]) * _SECONDS[found[2]]


def read_window(text: str) -> dict[str, Json]:
    """A window: five fields of cron, for how long it is open, and whose clocks are meant."""
    parts = text.split()
    if len(parts) not in {_CRON_FIELDS + 1, _CRON_FIELDS + 2}:
        fail(f'{text!r} is no window: give "0 9 * * MON-THU 8h Europe/Stockholm"', EXIT_USAGE)
    schedule, (duration, *zone) = parts[:_CRON_FIELDS], parts[_CRON_FIELDS:]
    return {
        "schedule": " ".join(schedule),
        "duration": read_seconds(duration),
        "time_zone": zone[0] if zone else "UTC",
    }


def read_guards(given: list[str]) -> dict[str, Json]:
    """Settings of guards from `NAME=JSON`."""
    pairs = [each.partition("=") for each in given]
    if wrong := next((name for name, equals, _ in pairs if not equals), None):
        fail(f"--guard {wrong!r} is not NAME=JSON", EXIT_USAGE)
    return {name: read_value(text) for name, _, text in pairs}


def read_staging(given: list[str]) -> dict[str, Json]:
    """What rollouts must have, from `any`, types of gates, `bake=TIME`, `first-weight=NUMBER` and `strategy=NAME`."""
    asked: dict[str, Json] = {"gates": []}
    for each in given:
        name, equals, word = each.partition("=")
        if name == "bake" and equals:
            asked["bake"] = read_seconds(word)
        elif name == "first-weight" and word.isdecimal():
            asked["first_weight"] = int(word)
        elif name == "strategy" and word:
            asked.setdefault("strategies", []).append(word)
        elif equals:
            fail(f"--stage {each!r} is none of bake=10m, first-weight=5000, strategy=canary", EXIT_USAGE)
        elif name != "any":
            asked["gates"].append(name)
    return asked

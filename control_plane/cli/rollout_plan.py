"""The plan of a rollout as it is given on the command line, or in a file."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from control_plane.cli.intent import read_labels
from control_plane.cli.terminal import EXIT_USAGE, fail
from control_plane.cli.times import read_moment
from control_plane.cli.values import read_text, read_value
from shared.domain.codec import Json, MalformedJsonError, decode

_PANEL = "How it goes"
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*%")
_WHOLE = 100_000
_STAGE = '"5%@10m bake=1h acks": how many, from when on (after the start, or a moment), and gates'


@dataclass(frozen=True)
class PlanOptions:
    """How a rollout goes. What is not given has its default for the strategy, or comes from the template."""

    strategy: Annotated[
        str | None,
        typer.Option(
            help="immediate, percentage, canary, feature_flag, time_based or user_targeting.", rich_help_panel=_PANEL
        ),
    ] = None
    stage: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE",
            help=f"{_STAGE}; agents by label: `track=canary`. May be repeated.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    gate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GATE",
            help="What must be shown at the end: `bake=1h`, `acks`, `health`, `outcomes`, `approval`, or JSON. May be repeated.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    unit: Annotated[
        str | None, typer.Option(help="targetingKey, instance, or an attribute.", rich_help_panel=_PANEL)
    ] = None
    salt: Annotated[str | None, typer.Option(help="What spreads the units.", rich_help_panel=_PANEL)] = None
    bucketing: Annotated[
        str | None, typer.Option(help="trimtab, or another product's: unleash, launchdarkly, …", rich_help_panel=_PANEL)
    ] = None
    when: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION",
            help='Whom it is for: \'{"attribute": "country", "op": "in", "values": ["SE"]}\', or @FILE.',
            rich_help_panel=_PANEL,
        ),
    ] = None
    user: Annotated[list[str] | None, typer.Option(help="This user. May be repeated.", rich_help_panel=_PANEL)] = None
    users: Annotated[
        str | None, typer.Option(metavar="@FILE", help="These users, one on each line.", rich_help_panel=_PANEL)
    ] = None
    group: Annotated[
        list[str] | None, typer.Option(help="Everybody in this group. May be repeated.", rich_help_panel=_PANEL)
    ] = None
    follows: Annotated[
        str | None,
        typer.Option(metavar="KEY[=VALUE]", help="While this config is true (or VALUE).", rich_help_panel=_PANEL),
    ] = None
    opens: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="WHEN", help="When its window opens: 2030-01-31T08:00, +2h.", rich_help_panel=_PANEL
        ),
    ] = None
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="When its window closes.", rich_help_panel=_PANEL)
    ] = None
    time_zone: Annotated[
        str | None, typer.Option(help="On whose clocks: Europe/Stockholm.", rich_help_panel=_PANEL)
    ] = None
    at_end: Annotated[
        str | None, typer.Option(help="When the window closes: revert or keep.", rich_help_panel=_PANEL)
    ] = None
    file: Annotated[
        str | None,
        typer.Option(
            help="JSON with the members of the API's request, or `-`; options add to it.", rich_help_panel=_PANEL
        ),
    ] = None

    def plan(self) -> dict[str, Json]:
        """The members of a request; what is not given is left out."""
        given = {
            "strategy": self.strategy,
            "stages": [read_stage(each) for each in self.stage or ()],
            "gates": [read_gate(each) for each in self.gate or ()],
            "unit": self.unit,
            "salt": self.salt,
            "bucketing": self.bucketing,
            "when": None if self.when is None else read_value(self.when),
            "users": [*(self.user or ()), *_lines(self.users)],
            "groups": self.group,
            "follows": None if self.follows is None else _following(self.follows),
            "window": self._window(),
        }
        return self._from_file() | {name: each for name, each in given.items() if each not in (None, [], {})}

    def _window(self) -> dict[str, Json]:
        moments = {"start": self.opens, "end": self.until}
        told = {name: _window_moment(each, self.time_zone) for name, each in moments.items() if each is not None}
        rest = {"time_zone": self.time_zone, "at_end": self.at_end}
        return told | {name: each for name, each in rest.items() if each is not None}

    def _from_file(self) -> dict[str, Json]:
        if self.file is None:
            return {}
        try:
            document = decode(read_text(self.file if self.file == "-" else f"@{self.file}"))
        except MalformedJsonError as error:
            fail(f"{self.file} is not JSON: {error}", EXIT_USAGE)
        if not isinstance(document, dict):
            fail(f"{self.file} is no JSON object", EXIT_USAGE)
        return document


def read_weight(text: str) -> int | None:
    """A weight: `5%`, or of 100,000; None if it is neither."""
    if (found := _PERCENT.fullmatch(text)) is not None:
        return round(float(found[1]) * _WHOLE / 100)
    return int(text) if text.isascii() and text.isdecimal() else None


def read_stage(text: str) -> dict[str, Json]:
    """A stage from `5%@10m bake=1h acks`, or JSON."""
    if text.lstrip().startswith("{"):
        return _object(text, "--stage")
    head, *gates = text.split()[:1000] or [""]
    many, _, time = head.partition("@")
    stage: dict[str, Json] = {"weight": read_weight(many)} if "=" not in many else {"labels": _labels(many)}
    if stage.get("weight", 0) is None:
        fail(f"--stage {text!r} is no stage: give {_STAGE}", EXIT_USAGE)
    if time:
        stage |= {"at": time} if "T" in time else {"after": time}
    return stage | ({"gates": [read_gate(each) for each in gates]} if gates else {})


def read_gate(text: str) -> Json:
    """A gate from `bake=1h`, `acks`, `acks=0.9`, `approval=2` and the like, or JSON."""
    if text.lstrip().startswith("{"):
        return _object(text, "--gate")
    kind, equals, word = text.partition("=")
    if not equals:
        return {"type": kind}
    member, read = _SHORT.get(kind, ("", str))
    if not member:
        fail(f"--gate {text!r} has more to say than fits there: give it as JSON", EXIT_USAGE)
    try:
        return {"type": kind, member: read(word)}
    except ValueError:
        fail(f"--gate {text!r}: {word!r} does not fit there", EXIT_USAGE)


def _seconds(text: str) -> float:
    found = re.findall(r"([0-9]+(?:\.[0-9]+)?)([smhd])", text)
    if "".join(number + unit for number, unit in found) != text or not text:
        raise ValueError
    total = sum(float(number) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit] for number, unit in found)
    return int(total) if total == int(total) else total


_SHORT: dict[str, tuple[str, Callable[[str], Json]]] = {
    "bake": ("seconds", _seconds),
    "acks": ("share", float),
    "health": ("max_unhealthy", int),
    "outcomes": ("minimum", int),
    "webhook": ("url", str),
    "approval": ("count", int),
}
"""What the word after `=` says of a gate, and how it is read."""


def _object(text: str, option: str) -> dict[str, Json]:
    try:
        document = decode(text)
    except MalformedJsonError as error:
        fail(f"{option} is not JSON: {error}", EXIT_USAGE)
    return dict(document)


def _labels(text: str) -> Json:
    return read_labels(text.split(","))


def _following(text: str) -> Json:
    key, equals, value = text.partition("=")
    return {"config": key, "op": "eq", "values": [read_value(value)]} if equals else key


def _lines(source: str | None) -> Iterator[str]:
    if source is not None:
        yield from filter(None, map(str.strip, read_text(source).splitlines()))


def _window_moment(text: str, time_zone: str | None) -> str:
    """A moment for the API: distances are counted from now, what names no zone is left to the time zone."""
    return text if time_zone is not None and text[:1] not in "+-" else read_moment(text)

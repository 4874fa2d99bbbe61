"""Gates read from JSON, strictly: what is not understood is refused, with a pointer to it."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from math import isfinite
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import urlsplit

from control_plane.domain.access.role import Role
from control_plane.domain.gates.spec import (
    COMPARISONS,
    KINDS,
    LONGEST_SECONDS,
    MAX_APPROVERS,
    MAX_GATES,
    MAX_LIMIT,
    MAX_QUERY_LENGTH,
    MAX_SAMPLE,
    MAX_URL_LENGTH,
    SHORTEST_INTERVAL,
    Bake,
    Gate,
    Terms,
)
from control_plane.domain.policy import APPROVERS
from shared.domain.codec import Json
from shared.wire.problem import Violation

_Read: TypeAlias = Callable[[Json], Json]
"""Reads one member, or raises ValueError with what it should be."""


def parse_gates(document: Json, pointer: str, found: list[Violation]) -> tuple[Gate, ...]:
    """The gates of a step. What is wrong with them is added to `found`; those gates are left out."""
    if not isinstance(document, list):
        found.append(Violation(pointer, "gates are a list"))
        return ()
    if len(document) > MAX_GATES:
        found.append(Violation(pointer, f"at most {MAX_GATES} gates of one step"))
    parsed = (parse_gate(each, f"{pointer}/{index}", found) for index, each in enumerate(document[:MAX_GATES]))
    return tuple(each for each in parsed if each is not None)


def parse_gate(document: Json, pointer: str, found: list[Violation]) -> Gate | None:
    """One gate; None if there is something wrong with it, which is added to `found`."""
    word = document.get("type") if isinstance(document, dict) else None
    kind = KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        at = f"{pointer}/type" if isinstance(document, dict) and "type" in document else pointer
        found.append(Violation(at, f"a gate is an object whose type is one of: {', '.join(KINDS)}"))
        return None
    before = len(found)
    own = {each.name for each in fields(kind)} - {"terms"}
    readers = {**_COMMON, **{name: _READERS[kind.TYPE, name] for name in own}}
    found.extend(
        Violation(f"{pointer}/{name}", f"is no member of a gate {kind.TYPE}; these are: {', '.join(sorted(readers))}")
        for name in document
        if name != "type" and name not in readers
    )
    read = _members(document, readers, pointer, found)
    required = {each.name for each in fields(kind) if each.default is MISSING} & own
    found.extend(
        Violation(pointer, f"a gate {kind.TYPE} needs a member {name!r}")
        for name in sorted(required)
        if name not in document
    )
    if len(found) > before:
        return None
    common = {name: read.pop(name) for name in _COMMON if name in read}
    gate = kind(Terms(**{"interval": kind.INTERVAL} | common), **read)
    return gate if _adds_up(gate, pointer, found) else None


def _members(
    document: Mapping[str, Json], readers: Mapping[str, _Read], pointer: str, found: list[Violation]
) -> dict[str, Json]:
    read: dict[str, Json] = {}
    for name in document.keys() & readers.keys():
        try:
            read[name] = readers[name](document[name])
        except ValueError as error:
            found.append(Violation(f"{pointer}/{name}", str(error)))
    return read


def _adds_up(gate: Gate, pointer: str, found: list[Violation]) -> bool:
    if isinstance(gate, Bake) and gate.terms.timeout is not None and gate.terms.timeout <= gate.seconds:
        found.append(Violation(f"{pointer}/timeout", "a bake lasts as long as it lasts: its timeout must be longer"))
        return False
    return True


def _seconds(least: float) -> _Read:
    def read(value: Json) -> Json:
        if not _is_number(value) or not least <= value <= LONGEST_SECONDS:
            _refuse(f"seconds, from {least:g} to {LONGEST_SECONDS}")
        return int(value) if value == int(value) else value

    return read


def _whole(least: int, most: int) -> _Read:
    def read(value: Json) -> Json:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            _refuse(f"a whole number from {least} to {most}")
        return value

    return read


def _rate(*, above: float | None = None, least: float = 0.0, most: float = 1.0) -> _Read:
    words = f"a number from {least:g} to {most:g}" if above is None else f"a number above {above:g}, at most {most:g}"

    def read(value: Json) -> Json:
        if not _is_number(value) or not least <= value <= most or (above is not None and value <= above):
            _refuse(words)
        return float(value)

    return read


def _text(most: int, *, least: int = 1) -> _Read:
    def read(value: Json) -> Json:
        if not _is_text(value) or not least <= len(value) <= most:
            _refuse(f"a text of {least} to {most} characters")
        return value

    return read


def _one_of(*words: str) -> _Read:
    def read(value: Json) -> Json:
        if not _is_text(value) or value not in words:
            _refuse(f"one of: {', '.join(words)}")
        return value

    return read


def _or_null(reader: _Read) -> _Read:
    return lambda value: None if value is None else reader(value)


def _finite(value: Json) -> Json:
    if not _is_number(value):
        _refuse("a number")
    return float(value)


def _flag(value: Json) -> Json:
    if not isinstance(value, bool):
        _refuse("true or false")
    return value


def _url(value: Json) -> Json:
    text = _text(MAX_URL_LENGTH)(value)
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        good = False
    if not good or not text.isascii() or not text.isprintable() or " " in text:
        _refuse("an http or https URL without a user")
    return text


def _roles(value: Json) -> Json:
    words = [str(each) for each in APPROVERS]
    if not isinstance(value, list) or not all(_is_text(each) and each in words for each in value):
        _refuse(f"a list of roles that may approve: {', '.join(words)}")
    if len(set(value)) < len(value):
        _refuse("a role is named once")
    return tuple(map(Role, value))


def _refuse(detail: str) -> None:
    raise ValueError(detail)


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


_COMMON: Mapping[str, _Read] = MappingProxyType(
    {
        "interval": _seconds(SHORTEST_INTERVAL),
        "timeout": _or_null(_seconds(SHORTEST_INTERVAL)),
        "on_timeout": _one_of("fail", "hold"),
        "failure_limit": _whole(1, MAX_LIMIT),
        "inconclusive_limit": _or_null(_whole(1, MAX_LIMIT)),
        "dry_run": _flag,
    }
)

_READERS: Mapping[tuple[str, str], _Read] = MappingProxyType(
    {
        ("bake", "seconds"): _seconds(0),
        ("acks", "share"): _rate(above=0.0),
        ("acks", "min_agents"): _whole(1, MAX_SAMPLE),
        ("health", "max_unhealthy"): _whole(0, MAX_SAMPLE),
        ("health", "min_agents"): _whole(1, MAX_SAMPLE),
        ("outcomes", "minimum"): _whole(1, MAX_SAMPLE),
        ("outcomes", "false_alarm"): _rate(above=0.0, most=0.5),
        ("outcomes", "tolerance"): _rate(most=0.5),
        ("outcomes", "margin"): _rate(most=0.5),
        ("outcomes", "false_pass"): _or_null(_rate(above=0.0, most=0.5)),
        ("metric", "query"): _text(MAX_QUERY_LENGTH),
        ("metric", "op"): _one_of(*COMPARISONS),
        ("metric", "value"): _finite,
        ("metric", "source"): _text(100, least=0),
        ("webhook", "url"): _url,
        ("approval", "count"): _whole(1, MAX_APPROVERS),
        ("approval", "roles"): _roles,
    }
)

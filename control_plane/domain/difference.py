"""How two JSON values differ: as a patch that a program applies (RFC 6902), and as lines that a person reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import jsonpatch

from shared.domain.codec import Json, canonical, decode

MAX_PATCHED_BYTES = 32 * 1024
"""Of both values together. The search for moved items of lists takes longer than it is worth beyond that."""
MAX_LINES = 200
"""Lines of one readable difference. Who compares more than that compares with a tool of their own."""


class Deed(StrEnum):
    """What happened at a place inside a value."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Line:
    """One place inside a value (JSON Pointer) with what stood there and what stands there instead."""

    path: str
    deed: Deed
    before: Json = None
    after: Json = None


@dataclass(frozen=True, slots=True)
class Difference:
    """How one value becomes another. `truncated`: there are more lines than these."""

    patch: tuple[Json, ...]
    lines: tuple[Line, ...]
    truncated: bool = False


def difference(before: bytes, after: bytes) -> Difference:
    """How one canonical JSON value becomes another; empty bytes stand for no value at all."""
    lines, truncated = readable(before, after)
    return Difference(patch(before, after), lines, truncated)


def patch(before: bytes, after: bytes) -> tuple[Json, ...]:
    """The RFC 6902 operations that make `after` of `before`. Applied to no value at all, the first one adds the whole."""
    if before == after:
        return ()
    if not before:
        return ({"op": "add", "path": "", "value": decode(after)},)
    if not after:
        return ({"op": "remove", "path": ""},)
    if len(before) + len(after) > MAX_PATCHED_BYTES:
        return tuple(_plain_patch(decode(before), decode(after)))
    return tuple(jsonpatch.make_patch(decode(before), decode(after)))


def readable(before: bytes, after: bytes, limit: int = MAX_LINES) -> tuple[tuple[Line, ...], bool]:
    """The first lines of the readable difference, and whether there are more."""
    if before == after:
        return (), False
    if not before:
        return (Line("", Deed.ADDED, after=decode(after)),), False
    if not after:
        return (Line("", Deed.REMOVED, before=decode(before)),), False
    found = tuple(islice(_lines("", decode(before), decode(after)), limit + 1))
    return found[:limit], len(found) > limit


def _lines(path: str, before: Json, after: Json) -> Iterator[Line]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _object_lines(path, before, after)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_lines(path, before, after)
    elif not _same(before, after):
        yield Line(path, Deed.CHANGED, before, after)


def _object_lines(path: str, before: dict[str, Json], after: dict[str, Json]) -> Iterator[Line]:
    for name in sorted(before.keys() | after.keys()):
        place = f"{path}/{escaped(name)}"
        if name not in after:
            yield Line(place, Deed.REMOVED, before=before[name])
        elif name not in before:
            yield Line(place, Deed.ADDED, after=after[name])
        else:
            yield from _lines(place, before[name], after[name])


def _list_lines(path: str, before: list[Json], after: list[Json]) -> Iterator[Line]:
    """Items are compared by their places; what both lists end with is left alone."""
    tail = _common_tail(before, after)
    here, there = before[: len(before) - tail], after[: len(after) - tail]
    common = min(len(here), len(there))
    for index in range(common):
        yield from _lines(f"{path}/{index}", here[index], there[index])
    for index in range(common, len(here)):
        yield Line(f"{path}/{index}", Deed.REMOVED, before=here[index])
    for index in range(common, len(there)):
        yield Line(f"{path}/{index}", Deed.ADDED, after=there[index])


def _common_tail(before: list[Json], after: list[Json]) -> int:
    """How many last items are the same, where the lengths differ; by place they would all look changed."""
    if len(before) == len(after):
        return 0
    pairs = zip(reversed(before), reversed(after), strict=False)
    return next(
        (count for count, pair in enumerate(pairs) if not _same(*pair)),
        min(len(before), len(after)),
    )


def _plain_patch(before: Json, after: Json) -> Iterator[Json]:
    """A patch that moves nothing: the lines as operations. Removals inside a list go backwards, so that places stay."""
    removed: list[Json] = []
    for line in _lines("", before, after):
        if line.deed is Deed.REMOVED:
            removed.append({"op": "remove", "path": line.path})
        else:
            yield from reversed(removed)
            removed.clear()
            op = "add" if line.deed is Deed.ADDED else "replace"
            yield {"op": op, "path": line.path, "value": line.after}
    yield from reversed(removed)


def _same(one: Json, other: Json) -> bool:
    """Whether two values are one in JSON, where true is not 1 and 1 is not 1.0."""
    return type(one) is type(other) and canonical(one) == canonical(other)


def escaped(name: str) -> str:
    """A member's name as a step of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")

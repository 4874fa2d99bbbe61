"""Guards against effective snapshots that shrink or grow too much at once, pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from control_plane.domain.change import Op, Operation
from control_plane.domain.effects import Difference, Pair, Seen
from control_plane.domain.guards import Guard, Hit, Mode, Setting

GuardsOf: TypeAlias = Callable[[Pair], Mapping[Guard, Setting]]
"""How strict the guards are for an app/environment."""

_REMOVING = {Op.DELETE, Op.MASK}
_REVEALING = {Op.DELETE, Op.UNMASK}


@dataclass(frozen=True, slots=True)
class Size:
    """How many keys an effective snapshot has, and how many bytes its keys and values."""

    keys: int = 0
    bytes: int = 0


def may_resize(operations: Sequence[Operation], guards: Mapping[Guard, Setting], *, least: Mode) -> bool:
    """Whether the operations could hit a guard of this mode or a stricter one, told from themselves alone.

    Few removals cannot halve what is large enough to matter, and few bytes cannot double it.
    """
    shrink, growth = guards[Guard.SHRINK], guards[Guard.GROWTH]
    removals = sum(each.op in _REMOVING for each in operations)
    revealing = sum(each.op in _REVEALING for each in operations)
    added = sum(len(each.value) + len(each.rollout) for each in operations)
    enough = shrink.numbers["keys"] * shrink.numbers["share"]
    factor = max(1.0, growth.numbers["factor"])
    much = min(growth.numbers["from_bytes"] * (factor - 1) / factor, growth.numbers["max_bytes"])
    return (_counts(shrink, least) and removals >= enough) or (
        _counts(growth, least) and (added >= much or revealing >= enough)
    )


def size_hits(before: Mapping[Pair, Size], differences: Iterable[Difference], guards_of: GuardsOf) -> Iterator[Hit]:
    """The guards that a change hits by what it does to the sizes of snapshots."""
    by_pair: dict[Pair, list[Difference]] = defaultdict(list)
    for each in differences:
        by_pair[each.app_id, each.environment].append(each)
    for pair, own in by_pair.items():
        guards, earlier = guards_of(pair), before.get(pair, Size())
        later = _after(earlier, own)
        yield from _shrinks(pair, earlier, later, guards[Guard.SHRINK])
        yield from _grows(pair, earlier, later, guards[Guard.GROWTH], len(own))


def _counts(setting: Setting, least: Mode) -> bool:
    return setting.mode is Mode.REFUSE or (setting.mode is Mode.WARN and least is Mode.WARN)


def _after(before: Size, differences: Sequence[Difference]) -> Size:
    return Size(
        before.keys + sum(_counts_as_key(each.after) - _counts_as_key(each.before) for each in differences),
        before.bytes + sum(_bytes(each.key, each.after) - _bytes(each.key, each.before) for each in differences),
    )


def _bytes(key: str, seen: Seen | None) -> int:
    return 0 if seen is None else len(key) * _counts_as_key(seen) + seen.size


def _counts_as_key(seen: Seen | None) -> bool:
    return seen is not None and seen.baseline is not None


def _shrinks(pair: Pair, before: Size, after: Size, shrink: Setting) -> Iterator[Hit]:
    lost = before.keys - after.keys
    if shrink.mode is Mode.OFF or before.keys < shrink.numbers["keys"] or lost <= 0:
        return
    if lost >= shrink.numbers["share"] * before.keys:
        what = "loses all" if after.keys <= 0 else f"loses {lost:,} of"
        detail = f"The effective snapshot {what} its {before.keys:,} keys."
        yield Hit(Guard.SHRINK, shrink.mode, detail, *pair)


def _grows(pair: Pair, before: Size, after: Size, growth: Setting, moved: int) -> Iterator[Hit]:
    """A single key may be large next to a small rest; only several together make a snapshot grow by a factor."""
    if growth.mode is Mode.OFF or after.bytes <= before.bytes:
        return
    numbers = growth.numbers
    several = moved > 1 and before.keys and after.bytes > max(numbers["factor"] * before.bytes, numbers["from_bytes"])
    if several or after.bytes > numbers["max_bytes"]:
        detail = f"The effective snapshot grows from {before.bytes:,} to {after.bytes:,} bytes."
        yield Hit(Guard.GROWTH, growth.mode, detail, *pair)

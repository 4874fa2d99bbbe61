"""However two values differ: the patch makes one of the other, and the lines tell every place once."""

from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain import difference
from control_plane.domain.difference import Deed, Line, patch, readable
from shared.domain.codec import Json, canonical, decode

_text = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
    st.sampled_from(["a/b", "~", "~1", "~0/", "", "-", "0", "1"]),
)
_numbers = st.one_of(st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1.0, 2.0]))
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _text),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(_text, inner, max_size=4)),
    max_leaves=14,
)


def _applied(operations: tuple[Json, ...], value: Json) -> bytes:
    return canonical(jsonpatch.JsonPatch(list(operations)).apply(value))


@given(before=_values, after=_values)
def test_applying_the_patch_gives_the_other_value(before: Json, after: Json) -> None:
    one, other = canonical(before), canonical(after)
    assert _applied(patch(one, other), decode(one)) == other
    assert bool(patch(one, other)) is (one != other)


@given(before=_values, after=_values)
def test_so_does_the_patch_of_large_values_which_moves_nothing(before: Json, after: Json) -> None:
    one, other = canonical(before), canonical(after)
    assert _applied(tuple(difference._plain_patch(decode(one), decode(other))), decode(one)) == other


@given(before=_values, after=_values)
def test_the_lines_tell_what_stands_at_each_place_that_differs(before: Json, after: Json) -> None:
    one, other = canonical(before), canonical(after)
    lines, truncated = readable(one, other)
    assert bool(lines) is (one != other)
    assert truncated is False
    for line in lines:
        if line.deed is not Deed.ADDED:
            assert canonical(_at(decode(one), line.path)) == canonical(line.before)
        if line.deed is not Deed.REMOVED and _is_by_name(decode(one), line):
            assert canonical(_at(decode(other), line.path)) == canonical(line.after)


def test_more_lines_than_a_person_reads_are_left_out() -> None:
    lines, truncated = readable(canonical([0] * 300), canonical([1] * 300), 20)
    assert (len(lines), truncated) == (20, True)
    assert lines[19] == Line("/19", Deed.CHANGED, 0, 1)


def _is_by_name(value: Json, line: Line) -> bool:
    """Whether a line's path holds on the other side too: places in lists may have moved."""
    return not _meets_list(value, line.path)


def _meets_list(value: Json, path: str) -> bool:
    for step in _steps(path):
        if isinstance(value, list):
            return True
        value = value.get(step) if isinstance(value, dict) else None
    return False


def _at(value: Json, path: str) -> Any:
    for step in _steps(path):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def _steps(path: str) -> list[str]:
    return [each.replace("~1", "/").replace("~0", "~") for each in path.split("/")[1:]]

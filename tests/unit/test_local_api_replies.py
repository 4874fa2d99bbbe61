"""Which representation a reader gets, and when it has it already."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.local_api.answers import Body
from agent.local_api.replies import matches, prefers_text
from agent.local_api.watch import difference
from tests.fakes.snapshots import snapshot_of, with_values


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/plain", True),
        ("TEXT/PLAIN; charset=utf-8", True),
        ("text/*", True),
        ("text/plain, application/json", False),
        ("text/plain, application/json;q=0.5", True),
        ("text/plain;q=0.4, application/json;q=0.5", False),
        ("text/plain;q=0", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("text/plain;q=nonsense, */*;q=0.1", False),
    ],
)
def test_a_text_is_for_those_who_prefer_it(accept: str, *, text: bool) -> None:
    assert prefers_text(accept) is text


@given(st.text())
def test_no_accept_header_is_too_strange(accept: str) -> None:
    assert prefers_text(accept) in {True, False}


@given(st.binary(), st.binary())
def test_tags_are_equal_for_equal_bytes_only(one: bytes, other: bytes) -> None:
    assert (Body.of(one).etag == Body.of(other).etag) is (one == other)


@given(st.lists(st.sampled_from(['"a"', 'W/"a"', '"b"', "", '"', "a"])))
def test_a_list_of_tags_matches_if_one_of_them_does(tags: list[str]) -> None:
    assert matches(", ".join(tags), '"a"') is ('"a"' in tags or 'W/"a"' in tags)


def test_a_difference_is_what_a_reader_would_see() -> None:
    before = snapshot_of(1, {"a": 1, "b": 2, "c": 3})
    after = with_values(before, 2, {"a": 2, "d": 4}, removed=["b"])
    assert difference(before, after) == (["a", "d"], ["b"])
    assert difference(before, snapshot_of(1, {"a": 1, "b": 2, "c": 3})) == ([], [])

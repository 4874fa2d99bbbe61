"""Which representation a reader gets, and when it has it already."""

import gzip
from contextlib import nullcontext, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.local_api.answers import Body
from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError
from agent.local_api.replies import bulky, matches, prefers_text, require_json
from agent.local_api.watch import difference
from shared.wire.problem import ProblemType
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
        ("text/plain;q=0, */*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("text/plain;q=nonsense, */*;q=0.1", False),
    ],
)
def test_a_text_is_for_those_who_prefer_it(accept: str, *, text: bool) -> None:
    assert prefers_text(_asked(accept=accept)) is text


def _asked(**headers: str) -> Asked:
    return Asked("GET", "/v1/values/a", "", {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("accept", ["image/png", "text/plain;q=0", "application/json;q=0, text/plain;q=nonsense", "a"])
def test_who_takes_neither_text_nor_json_is_told_so(accept: str) -> None:
    with pytest.raises(ProblemError) as caught:
        prefers_text(_asked(accept=accept))
    assert caught.value.problem.type is ProblemType.NOT_ACCEPTABLE


@pytest.mark.parametrize(
    ("accept", "takes"), [("*/*", True), ("application/*", True), ("text/plain", False), ("", True)]
)
def test_json_is_for_those_who_take_it(accept: str, *, takes: bool) -> None:
    with nullcontext() if takes else pytest.raises(ProblemError):
        require_json(_asked(accept=accept))


@given(st.text())
def test_no_accept_header_is_too_strange(accept: str) -> None:
    with suppress(ProblemError):
        assert prefers_text(_asked(accept=accept)) in {True, False}


@pytest.mark.parametrize(
    ("given_", "zipped"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.2", True),
        ("gzip;q=0", False),
        ("identity", False),
        ("*", False),
        ("", False),
    ],
)
def test_a_large_document_is_compressed_for_who_asks_for_gzip(given_: str, *, zipped: bool) -> None:
    body = Body.of(b"[" + b"1," * 5_000 + b"1]")
    reply = bulky(_asked(accept_encoding=given_), body, 7, "Authorization")
    headers = dict(reply.headers)
    assert ("Content-Encoding" in headers) is zipped
    assert (gzip.decompress(reply.body) if zipped else reply.body) == body.content
    assert headers["Vary"] == "Authorization, Accept-Encoding"
    again = bulky(_asked(accept_encoding=given_, if_none_match=headers["ETag"]), body, 7, "Authorization")
    assert (again.status, again.body, dict(again.headers)["ETag"]) == (304, b"", headers["ETag"])
    assert (headers["ETag"] == body.etag) is not zipped, "two forms, two strong tags"


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

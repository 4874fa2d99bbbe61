"""What the fast lane reads by known parts is what it reads byte for byte."""

from hypothesis import given
from hypothesis import strategies as st

from agent.local_api.asked import Asked
from agent.local_api.guard import Guard
from agent.local_api.lane.parts import MAX_TARGETS, ForeignError, Parts
from agent.local_api.lane.routes import POST, Route, Routes
from agent.local_api.reply import Reply
from shared.runtime.listen import Listen


def face(_asked: Asked) -> Reply:
    return Reply(200, ())


VALUE, EVALUATE = Route("/v1/values/{key}", face), Route("/v1/evaluate", face, POST)
LINES = (
    b"GET /v1/values/plain",
    b"HEAD /v1/values/plain",
    b"POST /v1/evaluate",
    b"GET /v1/evaluate",
    b"GET /v1/nothing",
)
QUERIES = (
    b"",
    b"?",
    b"?country=SE",
    b"?a=b HTTP/1.1\r\nHost: localhost",
    b"?wait=3s",
    b"?a#b",
    b'?a"',
    b"?\xc3\xa4",
    b"?" + 4_096 * b"a",
)
VERSIONS = (b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/1.1\n", b" HTTP/1.1\r\nFoo: y HTTP/1.1\r\n", b"\r\n")
BLOCKS = (
    b"Host: localhost\r\n",
    b"Host: localhost\r\nAccept: */*\r\n",
    b"Host: localhost\r\nContent-Length: 2\r\n",
    b"Host: localhost\r\nContent-Length: 0\r\n",
    b"Host: localhost\r\nConnection: close\r\n",
    b"Host: evil.example\r\n",
    b"",
)
BODIES = (b"", b"{}", b"{}{}", b"{", b"GET /v1/values/plain HTTP/1.1\r\nHost: localhost\r\n\r\n")
REQUESTS = st.builds(
    lambda line, query, version, block, body, lost: (line + query + version + block + b"\r\n" + body)[: -lost or None],
    st.sampled_from(LINES),
    st.sampled_from(QUERIES),
    st.sampled_from(VERSIONS),
    st.sampled_from(BLOCKS),
    st.sampled_from(BODIES),
    st.sampled_from((0, 0, 0, 1, 2, 3, 4, 5)),
)


def parts() -> Parts:
    return Parts(Routes([VALUE, EVALUATE]), Guard(Listen("127.0.0.1", 0)))


def first(known: Parts, data: bytes) -> tuple[Route, Asked, int] | None:
    try:
        return known.first(data)
    except ForeignError:
        return None


@given(st.lists(REQUESTS, min_size=1, max_size=20), REQUESTS)
def test_a_request_of_known_parts_is_read_as_if_it_were_the_first(before: list[bytes], request: bytes) -> None:
    known = parts()
    for each in before:
        first(known, each)
    again, found = known.again(request), first(parts(), request)
    assert again is None or (found is not None and found == (*again, len(request)))
    if found is not None and found[2] == len(request):
        assert known.first(request) == (*(known.again(request) or ()), len(request)), "its parts are known now"


def test_a_head_that_is_cut_off_where_a_known_one_ends_has_not_ended() -> None:
    known, request = parts(), b"GET /v1/values/plain HTTP/1.1\r\nHost: localhost\r\n\r\n"
    known.first(request)
    assert known.again(request) is not None
    assert [known.again(request[:-lost]) for lost in range(1, len(request))] == [None] * (len(request) - 1)


def test_another_query_and_another_body_are_all_that_has_to_be_looked_at() -> None:
    known = parts()
    known.first(b"GET /v1/values/plain?a=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    known.first(b"POST /v1/evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
    read, evaluated = (
        known.again(b"GET /v1/values/plain?b=2 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        known.again(b"POST /v1/evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n[]"),
    )
    assert read is not None
    assert evaluated is not None
    assert (read[1].key, read[1].query, evaluated[1].body) == ("plain", "b=2", b"[]")


def test_the_targets_that_are_known_are_bounded() -> None:
    known = parts()
    for number in range(2 * MAX_TARGETS + 1):
        assert known.first(b"GET /v1/values/k%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number)
    assert len(known.targets) <= MAX_TARGETS


def test_a_head_that_has_not_come_as_a_whole_is_none_that_came_before() -> None:
    it, whole = parts(), b"POST /v1/evaluate HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert it.first(whole) is not None
    assert it.again(whole) is not None
    for length in range(len(whole)):
        assert it.again(whole[:length]) is None

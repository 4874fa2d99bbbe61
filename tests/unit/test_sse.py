from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wire import sse
from shared.wire.sse import Event, OversizedFrameError, comment, frame, read_events


async def pieces(content: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    edges = [0, *sorted(each % (len(content) + 1) for each in cuts), len(content)]
    for start, end in pairwise(edges):
        yield content[start:end]


@given(st.lists(st.integers(0, 500)), st.booleans())
async def test_frames_are_read_however_the_stream_is_cut(cuts: list[int], crlf: bool) -> None:  # noqa: FBT001
    content = frame("change", b'{"a":1}', "7") + comment("still here") + frame("heartbeat", b"{}")
    if crlf:
        content = content.replace(b"\n", b"\r\n")
    events = [each async for each in read_events(pieces(content, cuts))]
    assert events == [Event("change", b'{"a":1}', "7"), Event("heartbeat", b"{}")]


async def test_a_frame_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_FRAME", 100)
    with pytest.raises(OversizedFrameError):
        async for _ in read_events(pieces(b"data: " + b"x" * 200, [50, 100, 150])):
            pass


async def test_an_unfinished_frame_is_no_event() -> None:
    assert [each async for each in read_events(pieces(b"event: change\ndata: 1\n", []))] == []

"""Event streams of the protocol: who listens fetches again when there is something to fetch, and misses nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import anyio
import pytest

from agent.local_api.ofrep import streams
from agent.local_api.ofrep.tickets import PERIOD
from agent.sync.clockwork import Clockwork
from shared.domain.codec import decode
from shared.runtime.clock import unix_ms
from shared.wire.sse import Event, read_events
from tests.fakes.clock import ManualClock
from tests.fakes.snapshots import snapshot_of, with_values
from tests.integration.test_local_api import TOKEN, Agent, agent
from tests.rig.entries import START, entry, exposure, seeing
from tests.rig.ofrep import Reader

pytestmark = pytest.mark.usefixtures("patience")


@pytest.fixture
async def patience() -> AsyncIterator[None]:
    """Nothing here waits for long."""
    with anyio.fail_after(20):
        yield


async def offered(it: Agent, **headers: str) -> str:
    """The address in a bulk answer."""
    told = await Reader(it.session, it.url).bulk({"targetingKey": "ada"}, **headers)
    [stream] = told.document["eventStreams"]
    assert stream["inactivityDelaySec"] == 120
    return str(stream["url"])


@asynccontextmanager
async def listening(it: Agent, url: str, **headers: str) -> AsyncIterator[AsyncIterator[Event]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with it.session.get(url, headers={"Accept": "text/event-stream"} | named) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert (await answer.content.readuntil(b"\n\n")).startswith(b":")
        yield read_events(answer.content.iter_any())


async def refetch(events: AsyncIterator[Event]) -> tuple[str, Any]:
    event = await anext(events)
    document = decode(event.data)
    assert (event.event, document["type"]) == ("message", "refetchEvaluation")
    assert document["etag"] == f'"{event.id}"'
    return event.id, document


async def refused(it: Agent, url: str, status: int, **headers: str) -> aiohttp.ClientResponse:
    async with it.session.get(
        url, headers={name.replace("_", "-"): value for name, value in headers.items()}
    ) as answer:
        assert answer.status == status, await answer.read()
        return answer


async def test_a_listener_hears_of_a_change_and_fetches_with_what_it_heard() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, {"k": 1}))
        reader = Reader(it.session, it.url)
        before = await reader.bulk()
        async with listening(it, await offered(it)) as events:
            it.live(with_values(it.store.current, 2, {"k": 2}))
            _, document = await refetch(events)
            assert abs(document["lastModified"] - it.clock.now().timestamp()) < 10
            query = {"flagConfigEtag": document["etag"], "flagConfigLastModified": str(document["lastModified"])}
            text = "&".join(f"{name}={value}" for name, value in query.items())
            after = await reader.bulk(query=f"?{text}", If_None_Match=before.etag)
            assert (after.status, after.flag("k")["value"]) == (200, 2)


async def test_many_changes_are_one_event_for_who_is_behind() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, {}))
        async with listening(it, await offered(it)) as events:
            for revision in range(2, 400):  # without a pause the stream's task cannot tell of each
                it.live(snapshot_of(revision, {}))
            first, _ = await refetch(events)
            assert first.startswith("399-")
            it.live(snapshot_of(400, {}))
            assert (await refetch(events))[0].startswith("400-")


async def test_what_happened_between_the_answer_and_the_stream_is_told_at_once() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, {}))
        url = await offered(it)
        assert url == await offered(it), "the address stays the same while nothing changes"
        it.live(snapshot_of(2, {}))
        assert url != await offered(it)
        async with listening(it, url) as events:
            assert (await refetch(events))[0].startswith("2-")


async def test_who_comes_back_hears_of_what_it_missed_and_of_nothing_else() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, {}))
        url = await offered(it)
        it.live(snapshot_of(2, {}))
        async with listening(it, url) as events:
            last, _ = await refetch(events)
        async with listening(it, url, Last_Event_ID=last) as events:
            it.live(snapshot_of(3, {}))
            assert (await refetch(events))[0].startswith("3-"), "and not 2 again"
        async with listening(it, url, Last_Event_ID=last) as events:
            assert (await refetch(events))[0].startswith("3-")


async def test_the_clock_and_another_snapshot_of_the_same_revision_are_told_too() -> None:
    clock = ManualClock()
    clock.set(START)
    begin = unix_ms(START + timedelta(seconds=60))
    async with agent(clock=clock) as it:
        seeing(it, entry("k", "old", rollout=exposure((begin, 100_000))))
        work = Clockwork(it.store, it.clock)
        async with listening(it, await offered(it)) as events:
            clock.advance(61)
            work.look(begin - 60_000)
            first, _ = await refetch(events)
            current = it.store.current
            it.store.look_through("override", lambda _: with_values(current, current.revision, {"k": "mine"}))
            second, _ = await refetch(events)
            assert first != second


async def test_silence_is_filled_with_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.Streams.__init__, "__defaults__", (0.05,))
    async with agent() as it:
        it.live(snapshot_of(1, {}))
        async with it.session.get(await offered(it)) as answer:
            for _ in range(3):
                assert await answer.content.readuntil(b"\n\n") == b": heartbeat\n\n"


async def test_an_agent_with_a_token_gives_tickets_that_end() -> None:
    clock = ManualClock()
    clock.set(START)
    async with agent(local_token=TOKEN, clock=clock) as it:
        it.live(snapshot_of(1, {"k": 1}))
        reader = Reader(it.session, it.url)
        url, before = await offered(it), await reader.bulk()
        assert TOKEN not in url
        async with listening(it, url):
            pass
        bare = url.partition("?")[0]
        for ticket in ("", "1", "9999999999.0", "x.y", "%C3%A9.1", "9" * 50 + ".0", url.rpartition("=")[2][:-1]):
            await refused(it, f"{bare}?ticket={ticket}", 401)
        await refused(it, bare, 401, Authorization="Bearer wrong")
        for right in ({"Authorization": f"Bearer {TOKEN}"}, {"X_API_Key": TOKEN}):
            async with listening(it, bare, **right):
                pass
        clock.advance(PERIOD)
        async with listening(it, url):
            pass
        fresh = await reader.bulk(If_None_Match=before.etag)
        assert fresh.status == 200, "a 304 has no address: who has an old one would never get another"
        clock.advance(PERIOD)
        await refused(it, url, 401)
        async with listening(it, await offered(it)):
            pass


async def test_a_ticket_outlives_the_agent_and_is_of_no_use_at_another_one() -> None:
    async with agent(local_token=TOKEN) as it:
        it.live(snapshot_of(1, {}))
        path = (await offered(it)).removeprefix(it.url)
    async with agent(local_token=TOKEN) as it, listening(it, it.url + path):
        pass
    async with agent(local_token=TOKEN[::-1]) as it:
        await refused(it, it.url + path, 401)


async def test_more_streams_than_there_may_be_are_told_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_READERS", 1)
    async with agent() as it:
        it.live(snapshot_of(1, {}))
        url = await offered(it)
        async with listening(it, url):
            answer = await refused(it, url, 429)
            assert answer.headers["Retry-After"] == "5"


async def test_a_stopping_agent_does_not_wait_for_listeners() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, {}))
        answer = await it.session.get(await offered(it))
        await answer.content.readany()
    answer.close()

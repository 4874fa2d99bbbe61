"""A page and the process that it reads from: the setting lets its origin in, and a restart is one event, if it is any."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import anyio
import pytest

from shared.wire.sse import read_events
from tests.fakes.snapshots import snapshot_of
from tests.integration.test_agent_process import VALUES, environ, free_port, keep
from tests.rig.ofrep import Reader
from tests.rig.process import Process

APP = "https://app.example.com"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """An agent that was told of the page's origin, with a last known good; not started yet."""
    keep(tmp_path / "state", snapshot_of(12, VALUES))
    port = free_port()
    variables = environ(tmp_path, port, TRIMTAB_AGENT_CORS_ORIGINS=APP)
    made = Process("agent", ["run"], f"http://127.0.0.1:{port}", variables, tmp_path / "agent.log")
    try:
        yield made
    finally:
        made.close()


async def start(process: Process) -> None:
    process.start()
    await process.until_ok("/readyz")


async def test_a_page_hears_after_a_restart_whether_there_is_anything_new(process: Process, tmp_path: Path) -> None:
    await start(process)
    async with aiohttp.ClientSession(headers={"Origin": APP}) as session:
        reader = Reader(session, process.url)
        told = await reader.bulk({"targetingKey": "ada"})
        assert told.headers["Access-Control-Allow-Origin"] == APP
        assert told.flag("db.pool")["reason"] == "STALE"
        url = told.document["eventStreams"][0]["url"]
        async with session.get(url) as stream:
            assert await stream.content.readuntil(b"\n\n") == b": heartbeat\n\n"
            assert await anyio.to_thread.run_sync(process.stop) == 0
            assert await stream.content.read() == b"", "the end of the agent is the end of its streams"
        await start(process)
        assert (await reader.bulk({"targetingKey": "ada"}, If_None_Match=told.etag)).status == 304
        await anyio.to_thread.run_sync(process.stop)
        keep(tmp_path / "state", snapshot_of(13, VALUES | {"db.pool": 30}))
        await start(process)
        async with session.get(url) as stream:
            with anyio.fail_after(10):
                event = await anext(read_events(stream.content.iter_any()))
            assert event.id.startswith("13-")
        after = await reader.bulk({"targetingKey": "ada"}, If_None_Match=told.etag)
        assert (after.status, after.flag("db.pool")["value"]) == (200, 30)


async def test_a_page_of_another_origin_stays_out(process: Process) -> None:
    await start(process)
    async with (
        aiohttp.ClientSession(headers={"Origin": "https://evil.example"}) as session,
        session.post(f"{process.url}/ofrep/v1/evaluate/flags", json={}) as answer,
    ):
        assert (answer.status, "Access-Control-Allow-Origin" in answer.headers) == (403, False)

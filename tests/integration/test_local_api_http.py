"""What HTTP offers besides a plain GET: long polls, HEAD, gzip, and clear refusals."""

from typing import Any

import anyio
import pytest

from agent.local_api.waiting import MAX_WAITING
from tests.fakes.snapshots import snapshot_of, with_values
from tests.integration.test_local_api import VALUES, Agent, agent
from tests.integration.test_local_api_evaluating import entry, exposure, seeing


async def _etag(it: Agent, path: str) -> str:
    return (await it.get(path))[2].headers["ETag"]


@pytest.mark.parametrize("path", ["/v1/values/db.pool", "/v1/configs/db.pool", "/v1/configs", "/v1/configs?prefix=db."])
async def test_a_long_poll_ends_with_the_change_that_it_waits_for(path: str) -> None:
    async with agent() as it:
        it.live(snapshot_of(7, VALUES))
        etag = await _etag(it, path)
        seen: list[tuple[int, Any]] = []
        wait = f"{path}{'&' if '?' in path else '?'}wait=30s"

        async def poll() -> None:
            status, document, _ = await it.get(wait, {"If-None-Match": etag})
            seen.append((status, document))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(poll)
                await anyio.wait_all_tasks_blocked()
                it.live(with_values(it.store.current, 8, {"greeting": "moin"} if "?" not in path else {"db.a": 1}))
                it.live(with_values(it.store.current, 9, {"db.pool": 21}))
        assert [status for status, _ in seen] == [200]


async def test_a_long_poll_that_nothing_happens_to_is_told_so_and_one_without_a_tag_does_not_wait() -> None:
    async with agent() as it:
        it.live(snapshot_of(7, VALUES))
        etag = await _etag(it, "/v1/values/db.pool")
        assert (await it.get("/v1/values/db.pool?wait=50ms", {"If-None-Match": etag}))[0] == 304
        assert (await it.get("/v1/values/db.pool?wait=10m"))[:2] == (200, 20)
        assert (await it.get("/v1/values/db.pool?wait=10m", {"If-None-Match": '"other"'}))[:2] == (200, 20)
        assert (await it.get("/v1/values/none?wait=10m", {"If-None-Match": etag}))[0] == 404


@pytest.mark.parametrize("wait", ["soon", "-1s", "11m", "1e3", "30 s", "s"])
async def test_a_wait_that_is_no_time_is_refused(wait: str) -> None:
    async with agent() as it:
        it.live(snapshot_of(7, VALUES))
        status, problem, _ = await it.get(f"/v1/configs?wait={wait}")
        assert (status, problem["violations"][0]["pointer"]) == (422, "?wait")


async def test_wait_is_no_part_of_a_context() -> None:
    async with agent() as it:
        audience = {"attribute": "wait", "op": "exists", "values": [True]}
        seeing(it, entry("k", "old", rollout=exposure((0, 100_000), candidate="new", when=audience)))
        assert (await it.get("/v1/values/k?wait=1ms"))[1] == "old"
        assert (await it.get("/v1/configs?wait=1ms"))[1]["configs"]["k"]["value"] == "old"


async def test_long_polls_are_bounded_and_all_end_with_a_change() -> None:
    answers: list[int] = []
    async with anyio.create_task_group() as group, agent() as it:
        it.live(snapshot_of(7, VALUES))
        etag = await _etag(it, "/v1/values/db.pool")
        session, url = it.session, it.url

        async def poll() -> None:
            async with session.get(f"{url}/v1/values/db.pool?wait=5m", headers={"If-None-Match": etag}) as answer:
                answers.append(answer.status)

        session.connector._limit = 0  # type: ignore[union-attr]  # the client's own limit is not what is tested
        for _ in range(MAX_WAITING):
            group.start_soon(poll)
        with anyio.fail_after(20):
            while (await it.get("/v1/values/db.pool?wait=1ms", {"If-None-Match": etag}))[0] != 503:
                await anyio.sleep(0.01)
            it.live(with_values(it.store.current, 8, {"db.pool": 21}))
            while len(answers) < MAX_WAITING:
                await anyio.sleep(0.01)
    assert answers == [200] * MAX_WAITING


@pytest.mark.parametrize("path", ["/v1/values/db.pool", "/v1/configs/db.pool", "/v1/configs", "/status", "/readyz"])
async def test_head_is_get_without_the_body(path: str) -> None:
    async with agent() as it:
        it.live(snapshot_of(7, VALUES))
        async with it.session.head(it.url + path) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            assert int(answer.headers["Content-Length"]) > 0


async def test_a_large_list_is_sent_compressed() -> None:
    async with agent() as it:
        it.live(snapshot_of(7, {f"key.{number}": "x" * 50 for number in range(100)}))
        _, plain, answer = await it.get("/v1/configs", {"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in answer.headers
        _, zipped, compressed = await it.get("/v1/configs", {"Accept-Encoding": "gzip"})
        assert (zipped, compressed.headers["Content-Encoding"]) == (plain, "gzip")
        tags = {"If-None-Match": compressed.headers["ETag"], "Accept-Encoding": "gzip"}
        assert (await it.get("/v1/configs", tags))[0] == 304


async def test_what_cannot_be_done_is_refused_with_what_can() -> None:
    async with agent() as it:
        it.live(snapshot_of(7, VALUES))
        assert (await it.get("/v1/configs", {"Accept": "text/html"}))[0] == 406
        status, problem, _ = await it.get("/v1/values/db.pool", {"Accept": "image/png"})
        assert (status, problem["detail"]) == (406, "Accept: 'image/png' leaves out application/json or text/plain.")
        async with it.session.delete(f"{it.url}/v1/configs") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        async with it.session.post(f"{it.url}/v1/evaluate", data={"a": "b"}) as answer:
            assert (answer.status, (await answer.json())["hint"]) == (415, "Send `Content-Type: application/json`.")
        async with it.session.post(f"{it.url}/v1/evaluate", json={"context": {"a": "x" * 70_000}}) as answer:
            assert answer.status == 413
        assert (await it.get("/v1/nothing"))[0] == 404

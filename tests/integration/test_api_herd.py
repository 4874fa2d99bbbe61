"""A fleet that comes back at one moment: everybody gets everything, and an operator hardly notices."""

import random
from base64 import b64encode

import aiohttp
import anyio
import pytest

from control_plane.services import admission
from control_plane.services.admission import LARGE_BYTES
from shared.runtime.clock import SystemClock
from tests.rig.api import Api, serving_api

AGENTS = 200
CLOCK = SystemClock()


async def large_snapshot(api: Api) -> str:
    """Register shop/prod with a snapshot that compresses to more than `LARGE_BYTES`; a token of its agents."""
    token = await api.register()
    noise = random.Random(1)  # noqa: S311 - a test
    for number in range(8):
        value = b64encode(noise.randbytes(20_000)).decode()
        made = await api.post(
            "/configs", {"app_id": "shop", "environment": "prod", "key": f"k{number}", "value": value}
        )
        assert made.status == 201
    whole = await api.get("/snapshots/shop/prod", token=token, headers={"Accept-Encoding": "gzip"})
    assert len(whole.body) > LARGE_BYTES
    return token


async def test_a_herd_converges_and_an_operator_writes_meanwhile(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_SPREAD_SECONDS", 1)
    async with serving_api(migrated_url, transfers=2, transfers_waiting=20) as api:
        token = await large_snapshot(api)
        await api.register("cart")
        path, statuses, converged = "/api/v1/snapshots/shop/prod", [], 0
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
        writes: list[float] = []

        async def agent() -> None:
            nonlocal converged
            while True:
                async with session.get(api.url + path, headers=headers) as answer:
                    statuses.append(answer.status)
                    document = await answer.json(content_type=None)
                if answer.status == 200:
                    assert len(document["entries"]) >= 8
                    converged += 1
                    return
                assert document["type"].endswith("/overloaded")
                await anyio.sleep(int(answer.headers["Retry-After"]) * random.random())  # noqa: S311 - as agents do

        async def operator() -> None:
            while converged < AGENTS:
                began = CLOCK.monotonic()
                body = {"operations": [{"op": "put", "app_id": "cart", "key": "w", "value": len(writes)}]}
                assert (await api.post("/changes", body)).status == 201
                writes.append(CLOCK.monotonic() - began)
                await anyio.sleep(0.05)

        connector = aiohttp.TCPConnector(limit=0)
        with anyio.fail_after(50):
            async with aiohttp.ClientSession(connector=connector) as session, anyio.create_task_group() as group:
                async with api.services.admission.place(), api.services.admission.place():  # two slow readers
                    for _ in range(AGENTS):
                        group.start_soon(agent)
                    while len(statuses) < AGENTS - 20:
                        await anyio.sleep(0.01)
                assert set(statuses) == {503}
                group.start_soon(operator)
        assert converged == AGENTS
        assert sorted(writes)[int(len(writes) * 0.99)] < 5, "in one process with 200 clients, on a machine that is busy"


async def test_what_is_small_passes_while_every_place_is_taken(migrated_url: str) -> None:
    async with serving_api(migrated_url, transfers=1, transfers_waiting=0) as api:
        token = await large_snapshot(api)
        path = "/snapshots/shop/prod"
        whole = await api.get(path, token=token)
        since = ",".join(str(each) for each in whole.document["revisions"].values())
        async with api.services.admission.place():
            refused = await api.get(path, token=token)
            assert (refused.status, refused.document["retry_after"] in range(1, 6)) == (503, True)
            assert (await api.get(path, token=token, headers={"If-None-Match": whole.headers["ETag"]})).status == 304
            delta = await api.get(f"{path}?since={since}", token=token)
            assert (delta.status, delta.document["entries"]) == (200, [])
            assert (await api.post("/configs", {"app_id": "shop", "key": "x", "value": 1})).status == 201
        assert (await api.get(path, token=token)).status == 200

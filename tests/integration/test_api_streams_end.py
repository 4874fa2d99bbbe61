"""Streams of people, which end with what let them begin: the session, or what was granted."""

from collections.abc import AsyncIterator

import anyio
import pytest

from control_plane.api import watch
from tests.rig.api import Api, serving_api
from tests.rig.logins import Browser, make_user, token_of

STREAM = "/snapshots/shop/prod/watch"


@pytest.fixture
async def api(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setattr(watch, "CHECK_INTERVAL", 0.05)
    async with serving_api(migrated_url, session_idle=3.0) as api:
        await api.register()
        await make_user(api)
        yield api


@pytest.fixture
async def binding(api: Api) -> str:
    bound = await api.post("/role-bindings", {"subject": "user:anna", "role": "viewer", "reach": "shop/prod"})
    return str(bound.document["id"])


async def _until_it_ends(api: Api, headers: dict[str, str], begun: anyio.Event) -> None:
    """Follow changes for as long as one may."""
    async with api.session.get(f"{api.url}/api/v1{STREAM}", headers=headers) as stream:
        assert stream.status == 200
        assert await stream.content.readuntil(b"\n\n")
        for number in range(3):
            await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": f"k{number}", "value": 1})
            assert b"event: change" in await stream.content.readuntil(b"\n\n")
        begun.set()
        await stream.content.read()


def _cookies(browser: Browser) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


@pytest.mark.usefixtures("binding")
async def test_a_stream_ends_when_its_reader_logs_out(api: Api) -> None:
    browser, begun = Browser(api), anyio.Event()
    await browser.login()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(_until_it_ends, api, _cookies(browser), begun)
            await begun.wait()
            assert (await browser.post("/auth/logout")).status == 204


async def test_a_stream_ends_when_what_was_granted_to_its_reader_is_taken_back(api: Api, binding: str) -> None:
    browser, begun = Browser(api), anyio.Event()
    await browser.login()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(_until_it_ends, api, _cookies(browser), begun)
            await begun.wait()
            assert (await api.delete(f"/role-bindings/{binding}")).status == 204
    assert (await browser.get("/auth/session")).status == 200


@pytest.mark.usefixtures("binding")
async def test_a_stream_that_nobody_looks_at_keeps_no_session(api: Api) -> None:
    browser = Browser(api)
    await browser.login()
    with anyio.fail_after(30):
        await _until_it_ends(api, _cookies(browser), anyio.Event())
    assert (await browser.get("/auth/session")).status == 401


@pytest.mark.usefixtures("binding")
async def test_a_session_that_travels_as_a_token_can_follow_too(api: Api) -> None:
    token, begun = await token_of(api), anyio.Event()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(_until_it_ends, api, {"Authorization": f"Bearer {token}"}, begun)
            await begun.wait()
            assert (await api.post("/auth/logout", None, token=token)).status == 204

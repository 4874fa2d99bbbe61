"""An agent gets a credential of its own, renews it, and goes on when it is taken away or nobody gives it any."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web

from agent.ports import UpstreamRefusedError, UpstreamUnavailableError
from agent.upstream import enrolment as enrolment_module
from agent.upstream.endpoints import Endpoints, open_session
from agent.upstream.enrolment import Enrolment
from agent.upstream.http import HttpSource
from agent.upstream.shown import Shown
from shared.runtime.lifecycle import running
from tests.rig.api import Api, serving_api
from tests.rig.installation import Installation, Servers, installation
from tests.rig.process import Process

DEADLINE = 20.0


@asynccontextmanager
async def enrolling(url: str, token: str, instance: str = "one") -> AsyncIterator[tuple[Shown, HttpSource, Enrolment]]:
    """An agent's side: what it shows, somebody who shows it, and who keeps it fresh."""
    async with open_session() as session:
        shown, asked_with = Shown(token), Shown(token)
        own = Enrolment(Endpoints([url], asked_with, session), asked_with, shown, instance)
        source = HttpSource(Endpoints([url], shown, session), "shop", "prod")
        async with running(own.run):
            yield shown, source, own


async def until_shown(shown: Shown, *, other_than: str) -> str:
    with anyio.fail_after(DEADLINE):
        while shown.text == other_than:
            await anyio.sleep(0.01)
    return shown.text


async def until_fetched(source: HttpSource) -> None:
    """As the agent does: whatever says "not now" is tried again."""
    with anyio.fail_after(DEADLINE):
        while True:
            try:
                await source.fetch(None)
            except UpstreamUnavailableError:
                await anyio.sleep(0.05)
            else:
                return


async def revoke(api: Api, subject: str) -> None:
    assert (await api.post("/revocations", {"subject": subject, "reason": "a test"})).status == 201


async def test_the_token_is_shown_once_where_a_credential_is_required(migrated_url: str) -> None:
    async with serving_api(migrated_url, agent_enrolment="required") as api:
        token = await api.register()
        async with enrolling(api.url, token) as (shown, source, _):
            assert shown.text.count(".") == 2
            await source.fetch(None)


async def test_a_credential_is_renewed_before_it_ends(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment_module, "MOST_LIFE", 2.0)
    monkeypatch.setattr(enrolment_module, "LEAST_LIFE", 1.0)
    async with serving_api(migrated_url, agent_enrolment="required") as api:
        token = await api.register()
        async with enrolling(api.url, token) as (shown, source, _):
            first = shown.text
            second = await until_shown(shown, other_than=first)
            assert second.count(".") == 2
            await source.fetch(None)


async def test_whoever_lost_its_credential_enrols_again_with_its_token(migrated_url: str) -> None:
    async with serving_api(migrated_url, agent_enrolment="required") as api:
        token = await api.register()
        async with enrolling(api.url, token) as (shown, source, _):
            first = shown.text
            await revoke(api, "agent:shop/prod/one")
            await until_fetched(source)
            assert shown.text not in {first, token}
            await api.post("/keys/rotate", {"what": "tokens", "at_once": True})
            await until_fetched(source)


async def test_whoever_lost_its_token_too_is_out(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        token = await api.register()
        async with enrolling(api.url, token) as (shown, source, own):
            made = (await api.get("/apps/shop/environments/prod/agent-tokens")).document["items"]
            await api.delete(f"/apps/shop/environments/prod/agent-tokens/{made[0]['id']}")
            with pytest.raises(UpstreamRefusedError, match="401"):
                await until_fetched(source)
            assert shown.text == token
            another = await api.post("/apps/shop/environments/prod/agent-tokens", {"description": "new"})
            own.authorize(another.document["token"])
            await until_fetched(source)
            assert (await until_shown(shown, other_than=another.document["token"])).count(".") == 2


@asynccontextmanager
async def older(status: int, answer: Any = None) -> AsyncIterator[str]:
    """A control plane that answers so when it is asked for a credential."""

    async def enrol(_request: web.Request) -> web.Response:
        return web.json_response(answer, status=status)

    app = web.Application()
    app.router.add_post("/api/v1/agents/enrol", enrol)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (404, None),
        (405, None),
        (403, {"title": "no"}),
        (200, None),
        (200, []),
        (200, {"credential": "a b", "expires_in": 60}),
        (200, {"credential": 7, "expires_in": 60}),
        (200, {"credential": "a.b.c", "expires_in": "soon"}),
        (200, {"credential": "a.b.c\r\nX: y", "expires_in": 60}),
        (200, {"credential": "é", "expires_in": 60}),
        (200, "x" * 100_000),
        (503, None),
    ],
)
async def test_without_a_credential_the_token_goes_on(status: int, answer: Any) -> None:
    async with older(status, answer) as url, enrolling(url, "trimtab_agt_x") as (shown, _, _):
        assert shown.text == "trimtab_agt_x"


async def test_a_life_beyond_all_sense_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment_module, "LEAST_LIFE", 0.2)
    async with older(200, {"credential": "a.b.c", "expires_in": "nan"}) as url, enrolling(url, "x") as (shown, _, _):
        assert shown.text == "a.b.c"


async def test_a_running_agent_shows_in_the_fleet_with_its_own_credential(tmp_path: Path, migrated_url: str) -> None:
    async with installation(tmp_path, Servers(migrated_url)) as site:
        plane = await site.control_plane(TRIMTAB_AGENT_ENROLMENT="required")
        await site.register(plane)
        agent = await site.agent("one", [plane], TRIMTAB_AGENT_INSTANCE="shop-1")
        await site.put(plane, "limit", 1)
        await site.until_value(agent, "limit", 1, within=DEADLINE)
        first = await reported_with(site, plane, other_than="")
        assert first["own"] is True
        await site.post(plane, "/revocations", {"subject": f"token:{first['id']}", "reason": "a test"})
        await site.put(plane, "limit", 2)
        await site.until_value(agent, "limit", 2, within=DEADLINE)
        assert (await reported_with(site, plane, other_than=first["id"]))["own"] is True
        assert site.agent_token.encode() not in agent.log.read_bytes()


async def reported_with(site: Installation, plane: Process, *, other_than: str) -> Any:
    """The credential that the only agent of the fleet has shown last."""
    with anyio.fail_after(DEADLINE * 2):
        while True:
            items = (await site.get(plane, "/agents"))["items"]
            if items and items[0]["credential"]["id"] != other_than:
                return items[0]["credential"]
            await anyio.sleep(0.05)

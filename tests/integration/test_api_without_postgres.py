"""What the API answers while PostgreSQL is away, and after it came back."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.access.token import new_token
from shared.domain.codec import decode
from tests.rig.installation import APP, ENVIRONMENT, Installation, Servers, installation
from tests.rig.process import Process
from tests.servers.server import Server

pytestmark = pytest.mark.timeout(120)

SNAPSHOT = f"/snapshots/{APP}/{ENVIRONMENT}"
WRITE = {"app_id": APP, "environment": ENVIRONMENT, "key": "late", "value": 2}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the headers and the document, if there is one."""

    status: int
    headers: Mapping[str, str]
    document: Any


@dataclass
class Stage:
    """A control plane that serves one app/environment with a config in it."""

    site: Installation
    control_plane: Process
    postgres: Server

    async def ask(self, method: str, path: str, body: Any = None, *, token: str = "", **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {token or self.site.token}", **headers}
        url = self.control_plane.url + (path.removeprefix("/") if path.startswith("//") else f"/api/v1{path}")
        with anyio.fail_after(12):  # whatever is away, there is an answer
            async with self.site.session.request(method, url, json=body, headers=sent) as answer:
                said = await answer.read()
        return Answer(answer.status, answer.headers, decode(said) if said[:1] == b"{" else None)

    async def snapshot(self, **headers: str) -> Answer:
        return await self.ask("GET", SNAPSHOT, token=self.site.agent_token, **headers)

    async def until_stale(self, stale: bool) -> Answer:  # noqa: FBT001 - the one thing that is waited for
        with anyio.fail_after(30):
            while (answer := await self.snapshot()).status != 200 or answer.document["stale"] != stale:
                await anyio.sleep(0.05)
        return answer


@pytest.fixture
async def stage(own_postgres: Server, tmp_path: Path) -> AsyncIterator[Stage]:
    async with installation(tmp_path, Servers(own_postgres.url)) as site:
        control_plane = await site.control_plane()
        await site.register(control_plane)
        await site.put(control_plane, "greeting", "hello")
        yield Stage(site, control_plane, own_postgres)


async def test_what_was_compiled_is_served_as_stale_and_all_else_is_told_to_wait(stage: Stage) -> None:
    fresh = await stage.snapshot()
    tag = fresh.headers["ETag"]
    assert (fresh.status, fresh.document["stale"]) == (200, False)
    assert "Trimtab-Stale" not in fresh.headers
    assert (await stage.snapshot(**{"If-None-Match": tag})).status == 304
    await stage.ask("POST", f"/apps/{APP}/environments", {"environment": "cold"})

    await stage.postgres.stop()
    stale = await stage.until_stale(True)
    assert stale.document | {"stale": False} == fresh.document
    assert "ETag" not in stale.headers
    assert stale.headers["Trimtab-Stale"] == "true"
    assert (await stage.snapshot(**{"If-None-Match": tag})).status == 200, "304 would say that it is current"
    known = {"app_id": APP, "environment": ENVIRONMENT}
    effective = await stage.ask("POST", "/configs/fetch", known)
    assert (effective.status, effective.document["stale"]) == (200, True)
    assert effective.headers["Trimtab-Stale"] == "true"
    assert effective.document["configs"]["greeting"]["value"] == "hello"
    for method, path, body in (
        ("POST", "/configs", WRITE),
        ("POST", "/changes", {"operations": [{"op": "put", **WRITE}]}),
        ("POST", "/apps", {"app_id": "other"}),
        ("GET", "/configs", None),
        ("GET", "/changes", None),
        ("GET", f"/snapshots/{APP}/cold", None),
    ):
        away = await stage.ask(method, path, body)
        assert (away.status, away.document["type"].rpartition("/")[2]) == (503, "unavailable"), path
        assert int(away.headers["Retry-After"]) == away.document["retry_after"] >= 1
        assert "127.0.0.1" not in str(away.document), "where the database is is nobody's business"
    stranger = await stage.ask("GET", "/configs", token=new_token(Role.OPERATOR))
    assert stranger.status == 503, "nobody can say that it is not known"
    forbidden = await stage.ask("GET", "/configs", token=stage.site.agent_token)
    assert forbidden.status == 403, "whom we know we know"
    assert (await stage.ask("GET", "//healthz")).status == 200
    unready = await stage.ask("GET", "//readyz")
    assert (unready.status, unready.document["dependencies"][0]["ok"]) == (503, False)


async def test_when_it_is_back_everything_goes_on_and_nothing_refused_was_done(stage: Stage) -> None:
    fresh = await stage.snapshot()
    await stage.postgres.stop()
    await stage.until_stale(True)
    assert (await stage.ask("POST", "/configs", WRITE, **{"Idempotency-Key": "late"})).status == 503

    await stage.postgres.start()
    again = await stage.until_stale(False)
    assert (again.document, again.headers["ETag"]) == (fresh.document, fresh.headers["ETag"])
    with anyio.fail_after(20):
        while (made := await stage.ask("POST", "/configs", WRITE, **{"Idempotency-Key": "late"})).status == 503:
            await anyio.sleep(0.05)
    assert (made.status, made.document["revision"]) == (201, 2)
    assert "Idempotency-Replayed" not in made.headers
    changed = await stage.snapshot(**{"If-None-Match": fresh.headers["ETag"]})
    assert (changed.status, changed.headers["ETag"] != fresh.headers["ETag"]) == (200, True)
    assert (await stage.ask("GET", "//readyz")).status == 200

"""A sensitive value is read by the agents that it is for, by their applications, and by nobody and nothing else."""

import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import psutil
import pytest

from shared.domain.codec import encode
from tests.rig.canaries import (
    everything_in_redis,
    files_of_the_database,
    heard_on_the_broker,
    own_keys,
    rows,
    traces_of,
    wal_position,
)
from tests.rig.installation import APP, ENVIRONMENT, Installation, Servers, installation
from tests.rig.process import Process
from tests.rig.secret_doors import through_all

pytestmark = pytest.mark.timeout(120)

KEY = "db.password"
OPEN = "dev"
"""An environment that sees no secret, so that its snapshots may be cached."""

LOCAL_TOKEN = "canary-local-token-0123456789abcdef"
FIRST, SECOND, DELETED, UNCOVERED, REFUSED, PROPOSED, PLAIN = (
    f"canary-{name}-7c1f93" for name in ("first", "second", "deleted", "uncovered", "refused", "proposed", "plain")
)
SECRETS = (FIRST, SECOND, DELETED, UNCOVERED, REFUSED, PROPOSED)


@dataclass
class Stage:
    """A control plane and two agents, one on TCP and one on a unix socket, all of which say as much as they can."""

    site: Installation
    control_plane: Process
    tcp: Process
    unix: Path
    answers: dict[str, bytes] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        raw: bytes | None = None,
        *,
        quietly: bool = False,
        **headers: str,
    ) -> Any:
        """Ask the control plane as the operator, and remember what it says; not where it is to tell a secret, once."""
        data = raw if raw is not None else None if body is None else encode(body)
        sent = {"Authorization": f"Bearer {self.site.token}", "Content-Type": "application/json", **headers}
        url = f"{self.control_plane.url}{path}"
        async with self.site.session.request(method, url, data=data, headers=sent) as answer:
            said = str(answer.headers).encode() + await answer.read()
            if not quietly:
                self.answers[f"{len(self.answers)} {method} {path} {answer.status}"] = said
            is_json = answer.content_type in {"application/json", "application/problem+json"}
            return answer.status, await answer.json(content_type=None) if is_json else None


@pytest.fixture
async def stage(tmp_path: Path, migrated_url: str, redis_url: str, amqp_url: str) -> AsyncIterator[Stage]:
    async with installation(tmp_path, Servers(migrated_url, redis_url, amqp_url)) as site:
        control_plane = await site.control_plane(TRIMTAB_LOG_LEVEL="DEBUG")
        await site.register(control_plane)
        more = {"TRIMTAB_AGENT_LOG_LEVEL": "DEBUG"}
        tcp = await site.agent("tcp", [control_plane], TRIMTAB_AGENT_LOCAL_TOKEN=LOCAL_TOKEN, **more)
        unix = tmp_path / "agent.sock"
        await site.agent("unix", [control_plane], ready=False, TRIMTAB_AGENT_LISTEN=f"unix:{unix}", **more)
        yield Stage(site, control_plane, tcp, unix)


async def test_a_secret_is_nowhere_but_where_it_belongs(stage: Stage, migrated_url: str, redis_url: str) -> None:
    since = await wal_position(migrated_url)
    async with heard_on_the_broker(stage.site.servers.amqp_url) as heard:
        await _write(stage)
        await _fail(stage)
        await _propose(stage)
        planted = await through_all(stage.ask, stage.site.agent_token)
        await _read(stage)
        await _look_back(stage)
        await _served_to_the_application(stage)
        with anyio.fail_after(10):
            while not any(PLAIN.encode() in each for each in heard):  # the last change of all
                await anyio.sleep(0.02)
    keys = await own_keys(migrated_url, stage.site.encryption_key)
    assert len(keys) >= 4, "of values, digests, tokens and messages"
    shown = (stage.site.token, stage.site.agent_token, LOCAL_TOKEN, stage.site.encryption_key)
    anything = traces_of((*SECRETS, *planted, *keys, *shown))
    places: dict[str, list[bytes]] = {
        "logs": [each.log.read_bytes() for each in stage.site.processes],
        "PostgreSQL": [each async for each in rows(migrated_url)],
        "PostgreSQL's files": [each async for each in files_of_the_database(migrated_url, since)],
        "Redis": await everything_in_redis(redis_url),
        "the broker": heard,
        "the control plane's answers": list(stage.answers.values()),
        "the agent's answers": await _open_answers(stage.tcp),
        "the agents' state": _kept(stage),
        "command lines": [" ".join(psutil.Process(each.pid).cmdline()).encode() for each in stage.site.processes],
    }
    for place, texts in places.items():
        assert any(texts), f"{place}: nothing was looked at"
        found = [text[max(0, hit.start() - 500) : hit.end() + 100] for text in texts if (hit := anything.search(text))]
        assert not found, f"{place}: {found}"
    for place in ("PostgreSQL", "PostgreSQL's files", "Redis", "the broker", "the control plane's answers"):
        assert any(PLAIN.encode() in each for each in places[place]), f"{place}: not even what is plain was found"
    assert all(b'"DEBUG"' in each for each in places["logs"])


async def _write(stage: Stage) -> None:
    """Secrets that are put, updated, deleted and uncovered; and something plain, to see that the search finds."""
    status, made = await stage.ask("POST", "/api/v1/configs", secret(FIRST), **{"Idempotency-Key": "one"})
    assert status == 201
    status, _ = await stage.ask("POST", "/api/v1/configs", secret(FIRST), **{"Idempotency-Key": "one"})
    assert status == 201
    path = f"/api/v1/configs/{made['id']}"
    assert (
        await stage.ask(
            "PUT", path, {"value": {"nested": SECOND}, "message": "m", "force": {"reason": "r"}}, **{"If-Match": '"1"'}
        )
    )[0] == 200
    tried = {"message": "try", "dry_run": True, "operations": [operation(SECOND)]}
    assert (await stage.ask("POST", "/api/v1/changes", tried))[0] == 200
    for key, value in (("gone", DELETED), ("uncovered", UNCOVERED)):
        status, other = await stage.ask("POST", "/api/v1/configs", secret(value, key))
        assert status == 201
        path = f"/api/v1/configs/{other['id']}"
        if key == "gone":
            assert (await stage.ask("DELETE", path, **{"If-Match": "*"}))[0] == 200
        else:
            body = {"value": "public now", "sensitive": False}
            assert (await stage.ask("PUT", path, body, **{"If-Match": "*"}))[0] == 200
    assert (await stage.ask("POST", f"/api/v1/apps/{APP}/environments", {"environment": OPEN}))[0] == 201
    plain = {"op": "put", "app_id": APP, "environment": OPEN, "key": "plain", "value": PLAIN}
    hide = {"op": "mask", "app_id": APP, "environment": ENVIRONMENT, "key": "hidden"}
    change = {"message": "plain", "operations": [plain, hide]}
    assert (await stage.ask("POST", "/api/v1/changes", change))[0] == 201


async def _fail(stage: Stage) -> None:
    """Requests that hold a secret and are refused, in every way that there is."""
    configs, changes = "/api/v1/configs", "/api/v1/changes"
    _, page = await stage.ask("GET", f"{configs}?prefix={KEY}")
    one = f"{configs}/{page['items'][0]['id']}"
    reused = {"Idempotency-Key": "one"}
    elsewhere = secret(REFUSED) | {"app_id": "nowhere"}
    late = {"base_revision": 0, "operations": [operation(REFUSED)]}
    expects: list[tuple[int, str, str, Any, dict[str, str]]] = [
        (409, "POST", configs, secret(REFUSED), {}),
        (409, "POST", configs, secret(REFUSED, "other"), reused),
        (404, "POST", configs, elsewhere, {}),
        (422, "POST", configs, secret(REFUSED + "\0", "nul"), {}),
        (422, "POST", configs, secret(REFUSED, "not/a/key"), {}),
        (422, "POST", configs, secret(REFUSED, "more") | {"valu": REFUSED}, {}),
        (422, "POST", configs, secret(REFUSED, "kind") | {"sensitive": REFUSED}, {}),
        (413, "POST", configs, secret(REFUSED * 20_000, "long"), {}),
        (412, "PUT", one, {"value": REFUSED}, {"If-Match": '"1"'}),
        (428, "PUT", one, {"value": REFUSED}, {}),
        (409, "POST", changes, late, {}),
        (422, "POST", changes, {"operations": [operation(REFUSED), operation(REFUSED)]}, {}),
        (422, "POST", changes, {"operations": [operation(REFUSED) | {"op": REFUSED}]}, {}),
        (422, "POST", changes, {"operations": REFUSED}, {}),
    ]
    for expected, method, path, body, headers in expects:
        status, problem = await stage.ask(method, path, body, **headers)
        assert status == expected, (method, path, problem)
    status, _ = await stage.ask("POST", configs, raw=b'{"key": "a", "value": "' + REFUSED.encode() + b'" "')
    assert status == 400
    status, _ = await stage.ask("GET", configs, Authorization=f"Bearer {REFUSED}")
    assert status == 401


async def _propose(stage: Stage) -> None:
    """A secret that waits for approval, is looked at by everybody, and is withdrawn: nothing keeps it then."""
    forced = {"force": {"reason": "a text for an object"}}
    tried = {
        "message": "wait",
        "operations": [operation(PROPOSED), operation(PROPOSED) | {"key": "api.token"}],
    } | forced
    assert (await stage.ask("POST", "/api/v1/changes/preview", tried))[0] == 200
    status, made = await stage.ask("POST", "/api/v1/changes", tried | {"mode": "submit"}, **{"Idempotency-Key": "wait"})
    assert status == 201
    path = f"/api/v1/changes/{made['id']}"
    edited = {"message": "again", "operations": [operation(PROPOSED + "!")]} | forced
    assert (await stage.ask("PATCH", path, edited, **{"If-Match": '"1"'}))[0] == 200
    for each in (path, f"{path}/preview", "/api/v1/changes?state=pending"):
        assert (await stage.ask("GET", each))[0] == 200
    assert (await stage.ask("POST", f"{path}/withdraw", {}))[0] == 200
    assert (await stage.ask("GET", path))[0] == 200


async def _look_back(stage: Stage) -> None:
    """Every way to the past, and out of here."""
    place, opened = f"{APP}/{ENVIRONMENT}", f"{APP}/{OPEN}"
    _, page = await stage.ask("GET", f"/api/v1/configs?app_id={APP}&environment={ENVIRONMENT}&prefix={KEY}")
    config = f"/api/v1/configs/{page['items'][0]['id']}"
    looks = (
        f"{config}/versions/1",
        f"{config}/difference?from=1&to=2",
        f"/api/v1/effective/{place}",
        f"/api/v1/effective/{place}?revision=1",
        f"/api/v1/compare?left={place}&right={opened}",
        f"/api/v1/compare?left={place}@1&right={place}",
        "/api/v1/search?q=7c1f93",
        f"/api/v1/unused?app_id={APP}",
        "/api/v1/export?format=yaml",
        f"/api/v1/export?format=json&app_id={APP}",
        "/api/v1/audit?limit=100",
        "/api/v1/audit/export?format=ndjson",
        "/api/v1/audit/export?format=csv",
        "/api/v1/audit/verify",
    )
    for each in looks:
        assert (await stage.ask("GET", each))[0] == 200, each
    here, there = ({"app_id": APP, "environment": each} for each in (ENVIRONMENT, OPEN))
    tries: tuple[tuple[str, dict[str, Any]], ...] = (
        (f"{config}/rollback", {"version": 1}),
        ("/api/v1/changes/1/revert", {"keys": "skip_moved"}),
        ("/api/v1/changes/2/revert", {}),
        (f"/api/v1/apps/{APP}/environments/{ENVIRONMENT}/restore", {"revision": 1}),
        ("/api/v1/promotions", {"from": here, "to": there, "keys": [KEY]}),
    )
    for path, body in tries:
        status, _ = await stage.ask("POST", path, body | {"dry_run": True})
        assert status in {200, 409}, path


async def _read(stage: Stage) -> None:
    """Whatever the operator can look at."""
    place = f"app_id={APP}&environment={ENVIRONMENT}"
    _, page = await stage.ask("GET", f"/api/v1/configs?{place}&include_deleted=true")
    assert len(page["items"]) >= 4
    for each in page["items"]:
        await stage.ask("GET", f"/api/v1/configs/{each['id']}")
        await stage.ask("GET", f"/api/v1/configs/{each['id']}/versions")
    _, found = await stage.ask("GET", "/api/v1/configs?text=7c1f93")
    assert [each["key"] for each in found["items"]] == ["plain"], "a secret is not searched either"
    _, changes = await stage.ask("GET", "/api/v1/changes")
    for each in changes["items"]:
        await stage.ask("GET", f"/api/v1/changes/{each['revision']}")
        await stage.ask("GET", f"/api/v1/changes/{each['revision']}/convergence")
    await stage.ask("POST", "/api/v1/configs/fetch", {"app_id": APP, "environment": ENVIRONMENT})
    snapshot = f"/api/v1/snapshots/{APP}/{ENVIRONMENT}"
    unsecret = f"/api/v1/snapshots/{APP}/{OPEN}"
    for path in (
        snapshot,
        unsecret,
        f"{snapshot}?since=0,0,0",
        f"/api/v1/agents?{place}",
        "/api/v1/apps",
        f"/api/v1/apps/{APP}",
    ):
        assert (await stage.ask("GET", path))[0] == 200
    for path in (f"/api/v1/apps/{APP}/environments/{ENVIRONMENT}/agent-tokens", "/metrics", "/readyz", "/openapi.json"):
        assert (await stage.ask("GET", path))[0] == 200


async def _served_to_the_application(stage: Stage) -> None:
    """Each agent shows it to whom it should, and keeps it in files of its own."""
    with anyio.fail_after(20):
        while await _over_tcp(stage, f"Bearer {LOCAL_TOKEN}") != (200, {"nested": SECOND}):
            await anyio.sleep(0.02)
        while await _over_the_socket(stage) != (200, {"nested": SECOND}):
            await anyio.sleep(0.02)
    for wrong in ("", "Bearer wrong", f"Basic {LOCAL_TOKEN}", f"Bearer {LOCAL_TOKEN} "):
        status, _ = await _over_tcp(stage, wrong)
        assert status == (200 if wrong == f"Bearer {LOCAL_TOKEN} " else 401), wrong
    assert (await _over_tcp(stage, f"Bearer {LOCAL_TOKEN}", **{"X-Forwarded-For": "192.0.2.1"}))[0] == 403


def _kept(stage: Stage) -> list[bytes]:
    """What both agents keep, to serve it after a restart: none of it for others, and secrets only sealed."""
    kept = [each for name in ("tcp", "unix") for each in (stage.site.directory / f"agent-{name}").rglob("*")]
    files = {each: each.read_bytes() for each in kept if each.is_file()}
    keeping = [each for each, text in files.items() if KEY.encode() in text]
    assert len(keeping) >= 2, "both keep it"
    assert {stat.S_IMODE(each.parent.stat().st_mode) for each in files} == {0o700}
    assert {stat.S_IMODE(each.stat().st_mode) for each in keeping} == {0o600}
    return list(files.values())


async def _over_tcp(stage: Stage, authorization: str, **headers: str) -> tuple[int, Any]:
    sent = headers | ({"Authorization": authorization} if authorization else {})
    async with stage.site.session.get(f"{stage.tcp.url}/v1/values/{KEY}", headers=sent) as answer:
        return answer.status, await answer.json(content_type=None)


async def _over_the_socket(stage: Stage) -> tuple[int, Any]:
    if not stage.unix.exists():
        return 0, None
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(stage.unix))) as session,
        session.get(f"http://localhost/v1/values/{KEY}") as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def _open_answers(agent: Process) -> list[bytes]:
    """What the agent tells whoever can reach its port."""
    said = []
    async with aiohttp.ClientSession() as session:
        for path in ("/status", "/metrics", "/readyz", "/v1/configs", f"/v1/configs/{KEY}", f"/v1/values/{KEY}"):
            async with session.get(agent.url + path) as answer:
                said.append(str(answer.headers).encode() + await answer.read())
    return said


def secret(value: str, key: str = KEY) -> dict[str, Any]:
    """The body that makes a sensitive config."""
    return {"app_id": APP, "environment": ENVIRONMENT, "key": key, "value": value, "sensitive": True, "message": "why"}


def operation(value: str) -> dict[str, Any]:
    """An operation that puts a sensitive value."""
    more = {"key": KEY, "value": value, "sensitive": True}
    return {"op": "put", "app_id": APP, "environment": ENVIRONMENT, **more}

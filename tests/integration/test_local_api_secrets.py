"""Who may see a sensitive value here: one test over every route of the local API, and all that is rendered from one.

The routes are those of the server itself. One that this test does not know how to ask fails it.
"""

import os
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web

from agent.local_api import server
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from shared.domain.codec import canonical, encode
from shared.domain.entry import Entry, Kind
from shared.runtime.listen import Listen
from tests.fakes.snapshots import following
from tests.integration.test_local_api import TOKEN, Agent, agent
from tests.rig.process import clean_environ

CANARY = "canary-of-the-local-api-93c1"
ROLLOUT = "0b0f6a70-4b1c-4f8e-9d53-6a1f0c2f7f11"
KEYS = ("plain", "secret", "flag", "rolled", "app.secret", "app.flag", "number")


def entries() -> dict[str, Entry]:
    """A canary in every place that may hold one."""
    flag = canonical({"variants": {"on": CANARY, "off": CANARY + "-off"}, "default": "on"})
    split = canonical(
        {
            "variants": {"on": CANARY, "off": CANARY},
            "default": "off",
            "rules": [{"when": {"attribute": "country", "op": "eq", "values": ["SE"]}, "serve": "on"}],
        }
    )
    exposure = {
        "id": ROLLOUT,
        "candidate": CANARY + "-candidate",
        "kind": "value",
        "weights": [[0, 50_000]],
        "salt": "s",
        "unit": "targetingKey",
    }
    secret = canonical({"nested": [CANARY]})
    found = {
        "plain": Entry("plain", Kind.VALUE, b'"seen by all"', 1, 1),
        "number": Entry("number", Kind.VALUE, b"7", 1, 1, sensitive=True),
        "secret": Entry("secret", Kind.VALUE, secret, 1, 1, sensitive=True),
        "flag": Entry("flag", Kind.FLAG, split, 1, 1, sensitive=True),
        "rolled": Entry("rolled", Kind.VALUE, secret, 1, 1, sensitive=True, rollout=canonical(exposure)),
        "app.secret": Entry("app.secret", Kind.VALUE, secret, 1, 1, sensitive=True),
        "app.flag": Entry("app.flag", Kind.FLAG, flag, 1, 1, sensitive=True),
        "seg": Entry(
            "seg", Kind.SEGMENT, canonical({"when": {"attribute": "a", "op": "eq", "values": [CANARY]}}), 1, 1, True
        ),
    }
    assert set(KEYS) <= found.keys()
    return found


@dataclass(frozen=True)
class Ask:
    """One request."""

    method: str
    path: str
    body: Any = None


@dataclass
class Seen:
    """Which requests were answered with a canary."""

    asked: int = 0
    shown: set[str] = field(default_factory=set)


_CONTEXT = {"targetingKey": "alice", "country": "SE"}
_QUERIES = ("", "?targetingKey=alice&country=SE", "?prefix=", "?prefix=app.")
_BODIES: dict[str, list[Any]] = {
    "/v1/evaluate": [{}, {"context": _CONTEXT}, {"keys": list(KEYS)}, *({"keys": [key]} for key in KEYS)],
    "/v1/explain/{key}": [{}, {"context": _CONTEXT}],
    "/v1/sync": [None],
    "/v1/fallback/end": [None],
    "/v1/outcomes": [{"key": "rolled", "context": _CONTEXT, "success": 1}, {"key": CANARY[:5], "success": "x"}],
    "/ofrep/v1/evaluate/flags": [{}, {"context": _CONTEXT}],
    "/ofrep/v1/evaluate/flags/{key:[\\s\\S]+}": [{"context": _CONTEXT}, {}],
}
_STREAMS = {"/v1/watch", "/ofrep/v1/sse"}


def asks_of(method: str, path: str) -> Iterator[Ask]:
    """The requests by which a route is tried."""
    assert method in {"GET", "HEAD", "POST", "OPTIONS", "*"}, f"how is {method} {path} asked?"
    bodies: list[Any] = [None]
    if method == "POST":
        assert path in _BODIES, f"a new route: tell this test how POST {path} is asked"
        bodies = _BODIES[path]
    profiles = ("secret", "app", "plain", "flag", "rolled")
    known = {"key": KEYS, "app": ("billing",), "environment": ("prod",), "profile": profiles}
    names = re.findall(r"{(\w+)[^}]*}", path)
    assert set(names) <= known.keys(), f"a new route: tell this test what the names in {path} are"
    for values in product(*(known[name] for name in names)):
        filled = path
        for name, value in zip(names, values, strict=True):
            filled = re.sub(rf"{{{name}[^}}]*}}", value, filled)
        for body in bodies:
            for query in _QUERIES if method != "POST" else ("",):
                yield Ask("GET" if method == "*" else method, filled + query, body)


@asynccontextmanager
async def an_agent(monkeypatch: pytest.MonkeyPatch, **options: Any) -> AsyncIterator[tuple[Agent, list[Ask]]]:
    """An agent that serves canaries, and every request that it can be asked with."""
    apps: list[web.Application] = []

    serving = server.serving

    def recorded(app: web.Application, *arguments: Any, **given: Any) -> Any:
        apps.append(app)
        return serving(app, *arguments, **given)

    monkeypatch.setattr(server, "serving", recorded)
    async with agent(**options) as it:
        it.live(following(Snapshot.empty("billing", "prod"), 3, entries()))
        asks = [
            ask
            for method, path in sorted({_named(each) for each in apps[0].router.routes()})
            if path not in _STREAMS
            for ask in asks_of(method, path)
        ]
        yield it, asks


def _named(route: web.AbstractRoute) -> tuple[str, str]:
    """A route's method, and its path as it was registered."""
    resource = route.resource
    assert resource is not None
    return route.method, getattr(resource, "_orig_path", resource.canonical)


async def tried(it: Agent, asks: list[Ask], headers: dict[str, str]) -> Seen:
    """Ask everything, in the forms that applications ask in."""
    seen = Seen()
    for ask, accept in product(asks, ("application/json", "text/plain")):
        sent = {"Accept": accept, **headers}
        data = None if ask.body is None else encode(ask.body)
        if data is not None:
            sent["Content-Type"] = "application/json"
        async with it.session.request(ask.method, it.url + ask.path, data=data, headers=sent) as answer:
            said = await answer.read() + str(answer.headers).encode()
        seen.asked += 1
        assert answer.status < 500 or answer.status == 503, (ask, answer.status)
        if CANARY.encode() in said:
            seen.shown.add(f"{ask.method} {ask.path.partition('?')[0]}")
    return seen


PROXIED = {
    "Forwarded": "for=192.0.2.1",
    "Via": "1.1 proxy",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Host": "agent.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Server": "proxy",
    "X-Forwarded-Prefix": "/agent",
    "X-Real-IP": "192.0.2.1",
}
SHOWING = {
    "GET /v1/configs",
    "GET /v1/configs/secret",
    "GET /v1/values/secret",
    "GET /v1/values/flag",
    "GET /v1/values/rolled",
    "POST /v1/evaluate",
    "POST /ofrep/v1/evaluate/flags",
    "POST /ofrep/v1/evaluate/flags/secret",
    "GET /applications/billing/environments/prod/configurations/secret",
    "GET /applications/billing/environments/prod/configurations/app",
}
"""Faces that do show it to those who may see it: that the search finds anything at all."""
RIGHT = {"Authorization": f"Bearer {TOKEN}"}


async def test_no_route_shows_a_sensitive_value_to_one_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with an_agent(monkeypatch, local_token=TOKEN) as (it, asks):
        shown = (await tried(it, asks, RIGHT)).shown  # first, so that all that may be remembered is
        assert shown >= SHOWING
        wrong = [
            {},
            {"Authorization": "Bearer " + "0" * 32},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": TOKEN},
            {"Authorization": "Bearer "},
            {"Cookie": f"token={TOKEN}"},
        ]
        for headers in wrong:
            seen = await tried(it, asks, headers)
            assert (seen.asked > 100, seen.shown) == (True, set()), headers
        assert (await tried(it, asks, {"X-API-Key": TOKEN})).shown <= shown


async def test_no_route_shows_one_through_a_proxy_whatever_token_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    async with an_agent(monkeypatch, local_token=TOKEN) as (it, asks):
        assert (await tried(it, asks, RIGHT)).shown >= SHOWING
        for name, text in PROXIED.items():
            assert (await tried(it, asks, {**RIGHT, name: text})).shown == set(), name


async def test_without_a_token_of_its_own_an_agent_shows_none_over_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    async with an_agent(monkeypatch) as (it, asks):
        for headers in ({}, RIGHT, {"Authorization": "Bearer "}):
            assert (await tried(it, asks, headers)).shown == set()


async def test_the_sockets_mode_is_the_token_of_a_unix_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listen = Listen.parse(f"unix:{tmp_path}/agent.sock")
    async with an_agent(monkeypatch, listen=listen, socket_mode=0o600) as (it, asks):
        assert stat.S_IMODE((tmp_path / "agent.sock").stat().st_mode) == 0o600
        assert (await tried(it, asks, {})).shown >= SHOWING
        assert (await tried(it, asks, {"Via": "1.1 proxy"})).shown == set()


async def test_streams_and_probes_of_changes_carry_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    async with an_agent(monkeypatch, local_token=TOKEN) as (it, _):
        async with it.session.get(it.url + "/v1/watch", headers=RIGHT) as answer:
            changed = dict(entries())
            changed["secret"] = Entry("secret", Kind.VALUE, canonical(CANARY + "-new"), 2, 4, sensitive=True)
            it.live(following(it.store.current, 4, changed))
            said = b""
            with anyio.fail_after(10):
                while b"event: change" not in said:
                    said += await answer.content.readany()
        assert b"secret" in said
        assert CANARY.encode() not in said


FILES = "config.json,config.yaml,config.toml,.env,config.properties,config.ini"


def test_nothing_that_is_rendered_with_a_sensitive_value_can_be_read_by_others(tmp_path: Path) -> None:
    own = {key: each for key, each in entries().items() if key in {"plain", "app.secret", "app.flag", "number"}}
    snapshot = following(Snapshot.empty("billing", "prod"), 3, own)
    with closing(FileKeeper(tmp_path / "state", "billing", "prod")) as keeper:
        keeper.keep(snapshot, snapshot.document())
    (tmp_path / "app.j2").write_text("secret = {{ config.app.flag }}\n")
    sets = tmp_path / "sets.yaml"
    sets.write_text(
        f"whole: {{directory: {tmp_path}/whole, files: [config.json, {{path: rendered, template: {tmp_path}/app.j2}}]}}\n"
        f"keys: {{directory: {tmp_path}/keys, files: [{{format: keys}}]}}\n"
        f"told: {{files: [{{path: {tmp_path}/told.json, mode: '0644'}}]}}\n"
        f"plain: {{files: [{{path: {tmp_path}/plain.json, prefix: plain}}]}}\n"
    )
    settings = {
        "TRIMTAB_APP": "billing",
        "TRIMTAB_ENVIRONMENT": "prod",
        "TRIMTAB_CONTROL_PLANE_URL": "http://127.0.0.1:9",
        "TRIMTAB_AGENT_TOKEN": "not-asked-for",
        "TRIMTAB_AGENT_STATE_DIR": str(tmp_path / "state"),
        "TRIMTAB_AGENT_FILES": ",".join(f"{tmp_path}/out/{each}" for each in FILES.split(",")),
        "TRIMTAB_AGENT_FILE_SETS": str(sets),
    }
    done = subprocess.run(
        [sys.executable, "-m", "agent", "render", "--once", "--timeout", "3"],
        env=clean_environ() | settings,
        umask=0,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    holding = {
        each: stat.S_IMODE(each.stat().st_mode)
        for each in tmp_path.rglob("*")
        if each.is_file() and CANARY.encode() in each.read_bytes()
    }
    told = tmp_path / "told.json"
    assert {*(f"out/{each}" for each in FILES.split(",")), "whole/config.json", "whole/rendered", "keys/app.flag"} <= {
        str(each.relative_to(tmp_path)) for each in holding
    }
    assert holding.pop(told) == 0o644
    outside = {path: mode for path, mode in holding.items() if not path.is_relative_to(tmp_path / "state")}
    assert set(outside.values()) == {0o600}
    assert all(mode == 0o600 or _shut(path, tmp_path) for path, mode in holding.items())
    assert stat.S_IMODE((tmp_path / "plain.json").stat().st_mode) == 0o640
    assert not [each for each in tmp_path.rglob("*") if each.name.endswith(".trimtab")]
    assert os.getuid() == (tmp_path / "plain.json").stat().st_uid


def _shut(path: Path, top: Path) -> bool:
    """Whether a directory above keeps everybody else out."""
    above = [each for each in path.parents if each.is_relative_to(top) and each != top]
    return any(not stat.S_IMODE(each.stat().st_mode) & 0o077 for each in above)

"""The agent asks its application how it is, and what it hears becomes evidence that is counted once."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import anyio
import psutil
import pytest
from aiohttp import web

from agent.probing.ask import Reply, ask
from agent.probing.prober import Prober
from agent.probing.target import CommandTarget, HttpTarget, Target, TcpTarget, read_target
from agent.snapshot.model import Snapshot
from agent.snapshot.own import own_context
from agent.snapshot.store import SnapshotStore
from agent.sync.health import Condition, Health
from agent.sync.outcomes import Outcomes
from agent.sync.witness import Witness
from shared.domain.codec import canonical, decode
from shared.domain.entry import Entry, Kind
from shared.domain.scope import Level, Revisions
from shared.runtime.clock import SystemClock
from shared.wire.snapshot import SnapshotDocument, SnapshotItem
from tests.servers.server import free_port

OWN = own_context("i-1", "shop", "prod", {"track": "canary"})


class Application:
    """An application whose health the test decides."""

    def __init__(self) -> None:
        self.status = 200
        self.asked = 0
        self.answering = anyio.Event()
        self.url = ""

    async def health(self, _request: web.Request) -> web.Response:
        self.asked += 1
        if self.status == 0:
            await anyio.sleep_forever()
        return web.Response(status=self.status, headers={"Location": "/fine"})

    async def fine(self, _request: web.Request) -> web.Response:
        return web.Response()


@asynccontextmanager
async def application() -> AsyncIterator[Application]:
    it = Application()
    app = web.Application()
    app.add_routes([web.get("/health", it.health), web.get("/fine", it.fine)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    it.url = f"http://127.0.0.1:{port}/health"
    try:
        yield it
    finally:
        await runner.cleanup()


async def asked(target: Target, timeout: float = 2.0) -> Reply:  # noqa: ASYNC109 - the probe's own
    async with aiohttp.ClientSession() as session:
        return await ask(target, timeout, session)


async def test_http_is_healthy_by_its_status_alone() -> None:
    async with application() as app:
        for status, good in ((200, True), (204, True), (302, False), (404, False), (503, False)):
            app.status = status
            assert await asked(HttpTarget(app.url)) == Reply(good, f"HTTP status {status}")
        app.status = 0
        assert await asked(HttpTarget(app.url), 0.1) == Reply(good=False, detail="no answer within 0.1 s")
    assert not (await asked(HttpTarget(app.url))).good


async def test_tcp_is_healthy_if_it_takes_connections() -> None:
    async with application() as app:
        port = int(app.url.split(":")[2].split("/")[0])
        assert (await asked(TcpTarget("127.0.0.1", port))).good
    assert not (await asked(TcpTarget("127.0.0.1", port))).good


async def test_a_command_is_healthy_by_its_exit_code_and_leaves_nothing_running(tmp_path: Path) -> None:
    assert (await asked(CommandTarget(("true",)))).good
    assert await asked(CommandTarget(("sh", "-c", "exit 3"))) == Reply(good=False, detail="exit code 3")
    assert "cannot be run" in (await asked(CommandTarget(("/no/such/program",)))).detail
    pid = tmp_path / "pid"
    script = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    slow = CommandTarget(("sh", "-c", f'{sys.executable} -c "$0" & wait', script))
    assert "no answer" in (await asked(slow, 1.5)).detail
    with anyio.fail_after(5):
        while _runs(int(pid.read_text())):
            await anyio.sleep(0.005)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("http://127.0.0.1:8080/health", HttpTarget("http://127.0.0.1:8080/health")),
        ("tcp://localhost:5432", TcpTarget("localhost", 5432)),
        ("exec:/bin/check --fast 'a b'", CommandTarget(("/bin/check", "--fast", "a b"))),
    ],
)
def test_a_probe_is_read_from_one_text(text: str, target: Target) -> None:
    assert read_target(text) == target


@pytest.mark.parametrize("text", ["", "8080", "tcp://host", "ftp://x", "exec:", "http://", "exec:'"])
def test_what_is_no_probe_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message of shlex is its own
        read_target(text)


def canary(revision: int, track: str, app_id: str = "shop", unit: str = "instance") -> SnapshotDocument:
    """A snapshot with a rollout for the instances of a track."""
    exposure = {
        "schema": 1, "id": str(uuid4()), "strategy": "canary", "phase": "progressing", "step": 2, "kind": "value",
        "candidate": 2, "salt": "s", "unit": unit, "bucketing": "trimtab", "weights": [[0, 100_000]],
        "when": {"attribute": "agent.label.track", "op": "eq", "values": [track]},
    }  # fmt: skip
    entry = Entry("k", Kind.VALUE, b"1", revision, revision, rollout=canonical(exposure))
    items = (SnapshotItem(Level.ENVIRONMENT, "k", entry, revision, revision),)
    return SnapshotDocument(app_id, "prod", Revisions(0, 0, revision), (0, 0, entry.digest), True, items)


async def test_a_probe_never_sees_our_settings_and_no_name_makes_it_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_AGENT_TOKEN", "secret")
    assert (await asked(CommandTarget(("sh", "-c", 'test -z "$TRIMTAB_AGENT_TOKEN" && test -n "$PATH"')))).good
    for host in ("a..b", "x" * 70 + ".example"):
        assert not (await asked(HttpTarget(f"http://{host}/health"))).good
        assert not (await asked(TcpTarget(host, 80))).good


async def test_only_what_the_rules_ask_of_agents_keeps_an_instance_from_being_exposed() -> None:
    store = SnapshotStore(Snapshot.empty("shop", "prod"))
    witness = Witness(store, Health(), Outcomes(), SystemClock(), OWN)
    for track, unit, exposed in (
        ("canary", "targetingKey", True),
        ("stable", "targetingKey", False),
        ("canary", "instance", True),
        ("stable", "instance", False),
    ):
        store.swap(store.current.after(canary(store.current.revision + 1, track, unit=unit)))
        assert witness.exposes() is exposed
    [item] = store.current.document().items
    assert item.entry is not None
    assert witness.knows(decode(item.entry.rollout)["id"])
    assert not witness.knows(str(uuid4()))


async def test_a_candidate_makes_the_probe_look_at_once_and_its_health_is_told_with_the_rollout() -> None:
    store = SnapshotStore(Snapshot.empty("shop", "prod"))
    health = Health(failures=1)
    witness = Witness(store, health, Outcomes(), SystemClock(), OWN)
    changed = anyio.Event()

    def became() -> None:
        changed.set()

    async with application() as app, anyio.create_task_group() as group:
        target = HttpTarget(app.url)
        with health.observe(became), anyio.fail_after(10):
            await group.start(Prober(target, witness, store, interval=3_600, timeout=1).run)
            await changed.wait()
            assert health.condition is Condition.HEALTHY
            app.status, before = 500, app.asked
            store.swap(store.current.after(canary(1, "stable")))
            assert not witness.exposes()
            changed = anyio.Event()
            store.swap(store.current.after(canary(2, "canary")))
            while health.condition is not Condition.UNHEALTHY:
                await changed.wait()
                changed = anyio.Event()
            assert app.asked == before + 1
            group.cancel_scope.cancel()
    batch = witness.batch()
    assert batch is not None
    assert batch.health is not None
    assert (batch.health.status, batch.health.detail) == ("unhealthy", "HTTP status 500")
    assert [each.step for each in batch.health.exposed] == [2]

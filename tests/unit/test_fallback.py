"""Proven snapshots and the fallback: what bakes, what is promoted, what is shown, and when it ends."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from agent.snapshot.model import Snapshot
from agent.snapshot.proven import ProvenCopy
from agent.snapshot.sealing import Sealer
from agent.snapshot.state_key import StateKey
from agent.snapshot.store import SnapshotStore
from agent.sync.fallback import KIND, Fallback
from agent.sync.health import Health
from agent.sync.proving import Proving
from agent.sync.remarks import Remarks
from shared.runtime.clock import SystemClock, unix_ms
from shared.runtime.lifecycle import running
from tests.fakes.snapshots import snapshot_of

BAKE, PATIENCE = 0.1, 0.15
DEADLINE = 10.0


@dataclass
class Bench:
    """All parts, and what a test does with them."""

    store: SnapshotStore
    health: Health
    remarks: Remarks
    copy: ProvenCopy
    proving: Proving
    fallback: Fallback

    def find(self, *, good: bool) -> None:
        """The probe answers, as often as it takes to be believed."""
        for _ in range(3):
            self.health.found(good=good, detail="it says so", now_ms=unix_ms(SystemClock().now()))

    def apply(self, revision: int, value: object) -> Snapshot:
        self.store.swap(snapshot_of(revision, {"a": value}))
        return self.store.applied

    @property
    def shown(self) -> int:
        return self.store.current.revision

    async def until_proven(self, revision: int) -> None:
        with anyio.fail_after(DEADLINE):
            while self.proving.proof is None or self.proving.proof.revision != revision:
                await anyio.sleep(0.005)

    async def until_shown(self, revision: int) -> None:
        with anyio.fail_after(DEADLINE):
            while self.shown != revision:
                await anyio.sleep(0.005)

    async def until_remarked(self, *about: str) -> None:
        with anyio.fail_after(DEADLINE):
            while [each.about for each in self.remarks.current if each.kind == KIND] != list(about):
                await anyio.sleep(0.005)


def sealer(directory: Path) -> Sealer:
    return Sealer(StateKey(directory / "keys" / "a.key"), "billing", "prod")


def bench(directory: Path, bake: float = BAKE) -> Bench:
    clock = SystemClock()
    store = SnapshotStore(Snapshot.empty("billing", "prod"))
    health, remarks = Health(), Remarks(clock, lambda: store.applied.revision)
    copy = ProvenCopy(directory, Snapshot.empty("billing", "prod"), sealer(directory))
    proving = Proving(store, health, remarks, copy, after=bake)
    fallback = Fallback(store, health, proving, copy, remarks=remarks, clock=clock, after=PATIENCE)
    return Bench(store, health, remarks, copy, proving, fallback)


@asynccontextmanager
async def at_work(directory: Path, bake: float = BAKE) -> AsyncIterator[Bench]:
    parts = bench(directory, bake)
    async with running(parts.proving.run, parts.fallback.run):
        yield parts


async def test_a_snapshot_is_proven_after_the_application_stayed_healthy_with_it(tmp_path: Path) -> None:
    async with at_work(tmp_path) as it:
        first = it.apply(1, "well")
        it.find(good=True)
        await it.until_proven(1)
        assert it.copy.load() == first
    assert bench(tmp_path).proving.proof == it.proving.proof


async def test_an_application_that_becomes_unhealthy_proves_nothing(tmp_path: Path) -> None:
    async with at_work(tmp_path, bake=1.0) as it:
        it.apply(1, "well")
        it.find(good=True)
        await anyio.sleep(0.1)
        it.find(good=False)
        await anyio.sleep(1.2)
        assert it.proving.proof is None
        it.find(good=True)
        await it.until_proven(1)


async def test_a_burst_of_changes_costs_one_write_a_bake_time_and_starves_nothing(tmp_path: Path) -> None:
    async with at_work(tmp_path, bake=0.2) as it:
        it.apply(1, 0)
        it.find(good=True)
        began = anyio.current_time()
        revision = 1
        while it.proving.writes < 2:
            revision += 1
            it.apply(revision, revision)
            await anyio.sleep(0.002)
        assert anyio.current_time() - began >= 0.4
        assert it.proving.writes == 2


async def test_an_application_that_fails_on_the_newest_is_given_the_proven_one_loudly(tmp_path: Path) -> None:
    async with at_work(tmp_path) as it:
        it.apply(1, "well")
        it.find(good=True)
        await it.until_proven(1)
        it.apply(2, "ill")
        it.find(good=False)
        await it.until_shown(1)
        assert (it.store.applied.revision, it.fallback.active) == (2, True)
        (remark,) = it.remarks.current
        assert (remark.kind, remark.refuses, remark.revision) == (KIND, True, 2)
        assert "revision 2" in remark.detail
        assert "revision 1" in remark.detail
        it.find(good=True)
        await anyio.sleep(2 * PATIENCE)
        assert it.shown == 1, "it stays where it is well"
        assert it.copy.load() == it.store.current, "what failed is not proven meanwhile"
        it.apply(3, "better")
        assert it.shown == 3
        await it.until_remarked()
        await it.until_proven(3)
        assert it.copy.failed() == 0


async def test_where_it_does_not_help_the_newest_is_shown_again_and_it_is_not_tried_twice(tmp_path: Path) -> None:
    async with at_work(tmp_path) as it:
        it.apply(1, "well")
        it.find(good=True)
        await it.until_proven(1)
        it.apply(2, "something else is broken")
        it.find(good=False)
        await it.until_shown(1)
        await it.until_shown(2)
        await it.until_remarked("in vain")
        assert not it.remarks.refuses
        await anyio.sleep(2 * PATIENCE)
        assert it.shown == 2
        it.find(good=True)
        await it.until_remarked()


async def test_an_application_that_was_unhealthy_before_the_change_is_not_given_older_values(tmp_path: Path) -> None:
    async with at_work(tmp_path) as it:
        it.apply(1, "well")
        it.find(good=True)
        await it.until_proven(1)
        it.find(good=False)
        await anyio.sleep(0.01)
        it.apply(2, "the cure")
        it.find(good=False)
        await anyio.sleep(3 * PATIENCE)
        assert it.shown == 2


async def test_it_ends_by_hand_and_stays_ended(tmp_path: Path) -> None:
    async with at_work(tmp_path) as it:
        it.apply(1, "well")
        it.find(good=True)
        await it.until_proven(1)
        it.apply(2, "ill")
        it.find(good=False)
        await it.until_shown(1)
        assert it.fallback.end("a test")
        assert not it.fallback.end("a test")
        assert it.shown == 2
        await anyio.sleep(2 * PATIENCE)
        assert it.shown == 2


async def test_it_goes_on_after_a_restart_unless_something_newer_is_there(tmp_path: Path) -> None:
    async with at_work(tmp_path) as it:
        it.apply(1, "well")
        it.find(good=True)
        await it.until_proven(1)
        it.apply(2, "ill")
        it.find(good=False)
        await it.until_shown(1)
        with anyio.fail_after(DEADLINE):
            while it.copy.failed() != 2:
                await anyio.sleep(0.005)
    for revision, shown in ((2, 1), (3, 3)):
        again = bench(tmp_path)
        again.apply(revision, "kept")
        again.fallback.resume()
        assert again.shown == shown


@pytest.mark.parametrize("content", [b"", b"{", b'{"failed_revision": "2"}', b"[]", b"\xff"])
def test_a_damaged_mark_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fallback.json").write_bytes(content)
    again = bench(tmp_path)
    again.apply(2, "kept")
    again.fallback.resume()
    assert (again.shown, again.fallback.active) == (2, False)


_KEEP_FOREVER = """
import sys
from itertools import count
from pathlib import Path
from agent.snapshot.model import Snapshot
from agent.snapshot.proven import ProvenCopy
from agent.snapshot.sealing import Sealer
from agent.snapshot.state_key import StateKey
from tests.fakes.snapshots import snapshot_of
sealer = Sealer(StateKey(Path(sys.argv[1]) / "a.key"), "billing", "prod")
copy = ProvenCopy(Path(sys.argv[1]), Snapshot.empty("billing", "prod"), sealer)
for revision in count(1):
    copy.keep(snapshot_of(revision, {"a": "x" * 100_000, "revision": revision}))
    if revision == 2:
        print("keeps", flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_copy(tmp_path: Path) -> None:
    copy, seen = ProvenCopy(tmp_path, Snapshot.empty("billing", "prod"), sealer(tmp_path)), set[int]()
    for _ in range(3):
        words = [sys.executable, "-c", _KEEP_FOREVER, str(tmp_path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own program
            assert process.stdout is not None
            assert process.stdout.readline() == b"keeps\n"
            seen.clear()
            while len(seen) < 3:  # it goes on writing meanwhile, as the test's own timeout sees to
                found = copy.load()
                assert found is not None
                seen.add(found.revision)
            process.kill()
        found = copy.load()
        assert found is not None
        assert found == snapshot_of(found.revision, {"a": "x" * 100_000, "revision": found.revision})


def test_a_proven_copy_that_is_cut_anywhere_is_not_used(tmp_path: Path) -> None:
    copy = ProvenCopy(tmp_path, Snapshot.empty("billing", "prod"), sealer(tmp_path))
    copy.keep(snapshot_of(1, {"a": "well"}))
    file = tmp_path / "proven.snapshot"
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at])
        assert copy.load() is None
    file.write_bytes(whole)
    assert copy.load() == snapshot_of(1, {"a": "well"})

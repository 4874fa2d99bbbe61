import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ports import UpstreamUnavailableError
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.status import State, Status
from agent.sync.synchronizer import Synchronizer
from shared.domain.scope import Revisions, Scope
from shared.runtime.lifecycle import running
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write
from tests.fakes.upstream import FakeFeed, FakeSource, TickingClock

if TYPE_CHECKING:
    from shared.wire.messages import Message

PATIENCE = 0.01

writes = st.builds(
    Write,
    st.sampled_from((*LINEAGE, Scope("other"))),
    st.sampled_from(["a", "b", "c"]),
    st.one_of(st.none(), st.sampled_from([b"1", b"2"])),
    st.booleans(),
)
commits = st.tuples(st.just("commit"), st.lists(writes, min_size=1, max_size=3))
events = st.tuples(
    st.sampled_from(
        [
            "deliver",
            "deliver",
            "deliver",
            "again",
            "lose",
            "heartbeat",
            "pause",
            "sync",
            "break",
            "restart",
            "source away",
            "source back",
            "fetch begins",
            "fetch ends",
            "spoiled answer",
        ]
    ),
    st.integers(0, 5),
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Story:
    """One agent over its lives, watched by a reader that checks whatever becomes visible."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.model, self.feed = Model(), FakeFeed()
        self.source = FakeSource(self.model)
        self.sent: list[Message] = []
        self.waiting: list[Message] = []
        self.seen = Revisions()
        self.status = Status()
        self.store = SnapshotStore(Snapshot.empty(APP, ENVIRONMENT))

    def check(self, _old: Snapshot, new: Snapshot) -> None:
        assert new.revisions.covers(self.seen), (self.seen, new.revisions)
        assert self.model.shows(new), new.revisions
        self.seen = new.revisions

    async def live(self, steps: Iterator[tuple[str, object]]) -> bool:
        """One life; returns whether another one follows."""
        self.store, self.status = SnapshotStore(Snapshot.empty(APP, ENVIRONMENT)), Status()
        with closing(FileKeeper(self.directory, APP, ENVIRONMENT)) as keeper, self.store.subscribe(self.check):
            synchronizer = Synchronizer(
                self.store, [self.feed], self.source, keeper, self.status, TickingClock(),
                patience=PATIENCE, poll_interval=PATIENCE,
            )  # fmt: skip
            synchronizer.hydrate()
            async with running(synchronizer.run):
                for step in steps:
                    if step[0] == "restart":
                        return True
                    await self.take(step, synchronizer)
                await self.converge()
        assert not self.store.listener_errors
        return False

    async def take(  # noqa: C901, PLR0912 - one line for each thing that can happen
        self, step: tuple[str, object], synchronizer: Synchronizer
    ) -> None:
        name, number = step
        match name, number:
            case "commit", list(asked):
                self.waiting += self.model.commit(*asked)
            case "deliver", int(at) if self.waiting:
                self.sent.append(self.waiting.pop(at % len(self.waiting)))
                self.feed.send(self.sent[-1])
            case "lose", int(at) if self.waiting:
                self.waiting.pop(at % len(self.waiting))
            case "again", int(at) if self.sent:
                self.feed.send(self.sent[at % len(self.sent)])
            case "heartbeat", _:
                self.sent.append(self.model.heartbeat(0.3))
                self.feed.send(self.sent[-1])
            case "pause", _:
                await anyio.sleep(PATIENCE)
            case "sync", _ if self.source.gate.is_set():
                await synchronizer.sync_now()
            case "break", _:
                self.feed.break_off()
            case "source away", _:
                self.source.away = UpstreamUnavailableError("away")
            case "source back", _:
                self.source.away = None
            case "fetch begins", _:
                self.source.gate = anyio.Event()
            case "fetch ends", _:
                self.source.gate.set()
            case "spoiled answer", int(at):
                self.source.answers.append(self.model.document(Revisions(*([self.model.revision + at] * 3))))
            case _:
                pass
        await anyio.wait_all_tasks_blocked()

    async def converge(self) -> None:
        self.source.away = None
        self.source.gate.set()
        with anyio.fail_after(5):
            while not self.converged():
                self.feed.send(self.model.heartbeat(0.3))
                await anyio.sleep(PATIENCE / 2)

    def converged(self) -> bool:
        now = self.store.current
        return (now.revisions, now.digests, self.status.state) == (
            self.model.revisions(),
            self.model.digests(),
            State.LIVE,
        )


@settings(max_examples=60)
@given(st.lists(st.one_of(commits, events), max_size=40))
async def test_under_any_loss_duplication_reordering_and_restart_a_reader_sees_whole_changes_and_no_way_back(
    steps: list[tuple[str, object]],
) -> None:
    with TemporaryDirectory() as name:
        story, remaining = Story(Path(name)), iter(steps)
        while await story.live(remaining):
            assert not story.store.listener_errors

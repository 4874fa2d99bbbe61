"""However reports and their answers are lost, each outcome counts once at the control plane."""

from collections import Counter
from uuid import UUID

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.health import Health
from agent.sync.outcomes import Outcomes
from agent.sync.witness import Witness
from control_plane.api.bodies.fleet import EvidenceBody
from control_plane.embedded.evidence import MemoryEvidence
from shared.domain.codec import decode, encode
from shared.domain.context import ANYBODY
from shared.runtime.clock import SystemClock

ROLLOUT = UUID(int=7)
NOW = 1_800_000_000_000
steps = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.sampled_from(["candidate", "baseline"]), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(st.sampled_from(["arrives", "lost", "answer lost", "restart"])),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps)
def test_each_outcome_counts_once(of: list[tuple[object, ...]]) -> None:
    anyio.run(_follow, of)


async def _follow(of: list[tuple[object, ...]]) -> None:
    life = _Life()
    for step, *more in [*of, ("arrives",), ("arrives",)]:
        if step == "count":
            life.count(str(more[0]), int(str(more[1])), int(str(more[2])))
        elif step == "restart":
            life.restart()
        else:
            await life.send(str(step))
    counted = Counter[tuple[str, str]]()
    for block in await life.evidence.blocks(ROLLOUT, 0, NOW + 10**6):
        for arm, tally in (("candidate", block.candidate), ("baseline", block.baseline)):
            counted[arm, "good"] += tally.succeeded
            counted[arm, "bad"] += tally.failed
    assert +counted == +life.expected


class _Life:
    """An agent's outcomes, and the control plane that they go to."""

    def __init__(self) -> None:
        self.evidence, self.expected = MemoryEvidence(), Counter[tuple[str, str]]()
        self._arrived: set[tuple[str, int]] = set()
        self._start()

    def _start(self) -> None:
        self._outcomes = Outcomes()
        store = SnapshotStore(Snapshot.empty("shop", "prod"))
        self._witness = Witness(store, Health(), self._outcomes, SystemClock(), ANYBODY)

    def count(self, arm: str, good: int, bad: int) -> None:
        self._outcomes.count(str(ROLLOUT), arm, NOW, good, bad)
        self.expected[arm, "good"] += good
        self.expected[arm, "bad"] += bad

    def restart(self) -> None:
        """What was not received is lost with the process; nothing that comes later is taken for it."""
        batch = self._witness.batch()
        arrived = batch is None or (batch.incarnation, batch.sequence) in self._arrived
        for each in (*(() if batch is None or arrived else batch.outcomes), *self._outcomes.take()):
            self.expected[each.arm, "good"] -= each.succeeded
            self.expected[each.arm, "bad"] -= each.failed
        self._start()

    async def send(self, fate: str) -> None:
        batch = self._witness.batch()
        if batch is None:
            return
        if fate in {"arrives", "answer lost"}:
            body = EvidenceBody.model_validate_json(encode(decode(encode(batch))))
            await self.evidence.record(body.report("shop", "prod", "i-1"), NOW)
            self._arrived.add((batch.incarnation, batch.sequence))
        if fate == "arrives":
            self._witness.received(batch)

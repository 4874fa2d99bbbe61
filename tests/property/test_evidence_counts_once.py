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
    evidence, expected = MemoryEvidence(), Counter[tuple[str, str]]()
    store, outcomes = SnapshotStore(Snapshot.empty("shop", "prod")), Outcomes()
    made = Witness(store, Health(), outcomes, SystemClock(), ANYBODY)
    for step, *more in [*of, ("arrives",), ("arrives",)]:
        if step == "count":
            arm, good, bad = str(more[0]), int(str(more[1])), int(str(more[2]))
            outcomes.count(str(ROLLOUT), arm, NOW, good, bad)
            expected[arm, "good"] += good
            expected[arm, "bad"] += bad
            continue
        batch = made.batch()
        if batch is None:
            continue
        if step in {"arrives", "answer lost"}:
            body = EvidenceBody.model_validate_json(encode(decode(encode(batch))))
            await evidence.record(body.report("shop", "prod", "i-1"), NOW)
        if step == "arrives":
            made.received(batch)
    counted = Counter[tuple[str, str]]()
    for block in await evidence.blocks(ROLLOUT, 0, NOW + 10**6):
        for arm, tally in (("candidate", block.candidate), ("baseline", block.baseline)):
            counted[arm, "good"] += tally.succeeded
            counted[arm, "bad"] += tally.failed
    assert +counted == +expected

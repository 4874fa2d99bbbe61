"""Evidence about candidates within one process, as long as it lives."""

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from control_plane.domain.gates.comparison import Block
from control_plane.domain.gates.evalue import Tally
from control_plane.domain.gates.evidence import (
    MAX_BLOCKS,
    MAX_INSTANCES,
    OLDEST_MS,
    EvidenceReport,
    Health,
    InstanceHealth,
    OutcomeCount,
    Status,
    bucket_ms,
    closes_ms,
)
from control_plane.ports.evidence import Recorded

_MAX_REPORTERS = 100_000
"""Agents of whose reports the number is remembered; those that were silent for longest are forgotten first."""


class MemoryEvidence:
    """Blocks and health of each rollout."""

    def __init__(self) -> None:
        self._sequences: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._blocks: dict[UUID, dict[tuple[int, int], Block]] = defaultdict(dict)
        self._health: dict[UUID, dict[tuple[str, str, str], InstanceHealth]] = defaultdict(dict)

    async def record(self, report: EvidenceReport, now_ms: int) -> Recorded:
        who = (report.app_id, report.environment, report.instance)
        life = (*who, report.incarnation)
        if report.sequence <= self._sequences.get(life, -1):
            return Recorded(fresh=False, alarming=False)
        self._sequences[life] = report.sequence
        self._sequences.move_to_end(life)
        if len(self._sequences) > _MAX_REPORTERS:
            self._sequences.popitem(last=False)
        for count in report.outcomes:
            if count.at_ms >= now_ms - OLDEST_MS:
                self._count(count, now_ms)
        alarms = [self._note(who, each) for each in report.health]
        return Recorded(fresh=True, alarming=any(alarms))

    async def blocks(self, rollout: UUID, after_ms: int, until_ms: int) -> Sequence[Block]:
        blocks = self._blocks.get(rollout, {})
        return [blocks[key] for key in sorted(blocks) if after_ms < key[0] <= until_ms]

    async def health(self, rollout: UUID) -> Sequence[InstanceHealth]:
        known = self._health.get(rollout, {})
        return [known[key] for key in sorted(known)]

    async def forget(self, rollout: UUID) -> None:
        self._blocks.pop(rollout, None)
        self._health.pop(rollout, None)

    def _count(self, count: OutcomeCount, now_ms: int) -> None:
        bucket = bucket_ms(count.at_ms, now_ms)
        key, blocks = (closes_ms(bucket, now_ms), bucket), self._blocks[count.rollout]
        block = blocks.get(key) or Block(*key, Tally(), Tally())
        more = Tally(count.succeeded, count.failed)
        if count.arm == "candidate":
            blocks[key] = replace(block, candidate=block.candidate.plus(more))
        else:
            blocks[key] = replace(block, baseline=block.baseline.plus(more))
        if len(blocks) > MAX_BLOCKS:
            del blocks[min(blocks)]

    def _note(self, who: tuple[str, str, str], health: Health) -> bool:
        known = self._health[health.rollout]
        before = known.get(who)
        if before is None and len(known) >= MAX_INSTANCES:
            return False
        known[who] = InstanceHealth(*who, health)
        was_unhealthy = before is not None and before.health.status is Status.UNHEALTHY
        return health.status is Status.UNHEALTHY and not was_unhealthy

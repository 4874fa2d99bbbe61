"""What every keeper of evidence does, in memory or in Redis."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import anyio
import pytest

from control_plane.domain.errors import UnavailableError
from control_plane.domain.gates import evidence as limits
from control_plane.domain.gates.comparison import Block
from control_plane.domain.gates.evalue import Tally
from control_plane.domain.gates.evidence import Arm, EvidenceReport, Health, InstanceHealth, OutcomeCount, Status
from control_plane.embedded.evidence import MemoryEvidence
from control_plane.ports.evidence import Evidence, Recorded
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.evidence import KEPT_SECONDS, RedisEvidence
from tests.servers.server import Server

NOW = 1_800_000_000_000
FAR = NOW + 10**9
NEW, AGAIN, ALARMING = Recorded(True, False), Recorded(False, False), Recorded(True, True)
ROLLOUT = uuid4()


@pytest.fixture(params=["memory", "redis"])
async def evidence(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Evidence]:
    if request.param == "memory":
        yield MemoryEvidence()
    else:
        async with open_redis(redis_url) as client:
            yield RedisEvidence(client)


def outcomes(sequence: int, *counts: OutcomeCount, instance: str = "i", environment: str = "prod") -> EvidenceReport:
    return EvidenceReport("billing", environment, instance, sequence, outcomes=counts)


def count(
    succeeded: int, failed: int, arm: Arm = "candidate", at_ms: int = NOW, rollout: UUID = ROLLOUT
) -> OutcomeCount:
    return OutcomeCount(rollout, arm, at_ms, succeeded, failed)


def health(sequence: int, status: Status, instance: str = "i", step: int = 1) -> EvidenceReport:
    said = Health(ROLLOUT, step, status, NOW, "200 OK")
    return EvidenceReport("billing", "prod", instance, sequence, health=(said,))


async def test_nothing_is_known_of_a_rollout_that_nobody_reports_about(evidence: Evidence) -> None:
    assert list(await evidence.blocks(ROLLOUT, 0, FAR)) == []
    assert list(await evidence.health(ROLLOUT)) == []
    await evidence.forget(ROLLOUT)


async def test_outcomes_of_the_same_seconds_add_up_over_instances_and_arms(evidence: Evidence) -> None:
    assert await evidence.record(outcomes(1, count(10, 1), count(20, 2, "baseline", NOW + 4_999)), NOW + 5_000) == NEW
    assert await evidence.record(outcomes(1, count(5, 0), instance="j"), NOW + 9_999) == NEW
    assert list(await evidence.blocks(ROLLOUT, 0, FAR)) == [Block(NOW + 10_000, NOW, Tally(15, 1), Tally(20, 2))]


async def test_a_report_that_is_sent_again_counts_once(evidence: Evidence) -> None:
    report = outcomes(7, count(10, 1))
    assert await evidence.record(report, NOW) == NEW
    assert await evidence.record(report, NOW + 60_000) == AGAIN
    assert await evidence.record(outcomes(6, count(10, 1)), NOW) == AGAIN
    assert await evidence.record(outcomes(8, count(1, 0)), NOW) == NEW
    assert [each.candidate for each in await evidence.blocks(ROLLOUT, 0, FAR)] == [Tally(11, 1)]


async def test_instances_of_one_name_in_other_environments_are_others(evidence: Evidence) -> None:
    assert await evidence.record(outcomes(7, count(1, 0)), NOW) == NEW
    assert await evidence.record(outcomes(1, count(1, 0), environment="dev"), NOW) == NEW


async def test_a_block_that_is_closed_never_changes(evidence: Evidence) -> None:
    await evidence.record(outcomes(1, count(10, 1)), NOW)
    closed = await evidence.blocks(ROLLOUT, 0, NOW + 10_000)
    await evidence.record(outcomes(2, count(0, 99)), NOW + 10_000)
    await evidence.record(outcomes(3, count(0, 1, "baseline")), NOW + 14_999)
    assert list(await evidence.blocks(ROLLOUT, 0, NOW + 10_000)) == list(closed)
    late = Block(NOW + 15_000, NOW, Tally(0, 99), Tally(0, 1))
    assert list(await evidence.blocks(ROLLOUT, NOW + 10_000, FAR)) == [late]


async def test_blocks_are_those_of_when_it_happened_however_late_they_come(evidence: Evidence) -> None:
    burst = [count(second, 1, "baseline", NOW - second * 1_000) for second in (1, 8, 61)]
    await evidence.record(outcomes(1, *burst), NOW)
    assert [(each.closed_ms, each.at_ms) for each in await evidence.blocks(ROLLOUT, 0, FAR)] == [
        (NOW + 5_000, NOW - 65_000),
        (NOW + 5_000, NOW - 10_000),
        (NOW + 5_000, NOW - 5_000),
    ]


async def test_what_an_agent_says_of_the_future_happens_now_and_of_long_ago_not_at_all(evidence: Evidence) -> None:
    await evidence.record(outcomes(1, count(1, 0, at_ms=NOW + 3_600_000), count(9, 9, at_ms=NOW - 3_600_001)), NOW)
    assert list(await evidence.blocks(ROLLOUT, 0, FAR)) == [Block(NOW + 10_000, NOW, Tally(1, 0), Tally())]


async def test_rollouts_are_kept_apart_and_forgotten_one_by_one(evidence: Evidence) -> None:
    other = uuid4()
    await evidence.record(outcomes(1, count(1, 0), count(2, 0, rollout=other)), NOW)
    await evidence.record(health(2, Status.HEALTHY), NOW)
    await evidence.forget(ROLLOUT)
    assert list(await evidence.blocks(ROLLOUT, 0, FAR)) == []
    assert list(await evidence.health(ROLLOUT)) == []
    assert [each.candidate for each in await evidence.blocks(other, 0, FAR)] == [Tally(2, 0)]


async def test_the_health_of_an_instance_is_what_it_said_last(evidence: Evidence) -> None:
    await evidence.record(health(1, Status.UNKNOWN), NOW)
    await evidence.record(health(2, Status.HEALTHY, step=2), NOW)
    await evidence.record(health(1, Status.UNHEALTHY, instance="a:b"), NOW)
    assert list(await evidence.health(ROLLOUT)) == [
        InstanceHealth("billing", "prod", "a:b", Health(ROLLOUT, 1, Status.UNHEALTHY, NOW, "200 OK")),
        InstanceHealth("billing", "prod", "i", Health(ROLLOUT, 2, Status.HEALTHY, NOW, "200 OK")),
    ]


async def test_an_instance_that_turns_unhealthy_is_alarming_once(evidence: Evidence) -> None:
    assert await evidence.record(health(1, Status.HEALTHY), NOW) == NEW
    assert await evidence.record(health(2, Status.UNHEALTHY), NOW) == ALARMING
    assert await evidence.record(health(2, Status.UNHEALTHY), NOW) == AGAIN
    assert await evidence.record(health(3, Status.UNHEALTHY), NOW) == NEW
    assert await evidence.record(health(4, Status.HEALTHY), NOW) == NEW
    assert await evidence.record(health(5, Status.UNHEALTHY), NOW) == ALARMING


async def test_only_the_newest_blocks_are_kept(evidence: Evidence) -> None:
    for sequence in range(limits.MAX_BLOCKS + 10):
        at = NOW + sequence * limits.BUCKET_MS
        await evidence.record(outcomes(sequence, count(1, 0, at_ms=at)), at)
    blocks = await evidence.blocks(ROLLOUT, 0, FAR)
    assert len(blocks) == limits.MAX_BLOCKS
    assert blocks[0].at_ms == NOW + 10 * limits.BUCKET_MS
    assert all(each.candidate == Tally(1, 0) for each in blocks)


async def test_no_more_instances_are_kept_than_there_may_be(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.embedded.evidence.MAX_INSTANCES", 2)
    monkeypatch.setattr("control_plane.redis_cache.evidence.MAX_INSTANCES", 2)
    for instance in "abc":
        await evidence.record(health(1, Status.HEALTHY, instance), NOW)
    await evidence.record(health(2, Status.UNHEALTHY, "a"), NOW)
    known = [(each.instance, each.health.status) for each in await evidence.health(ROLLOUT)]
    assert known == [("a", Status.UNHEALTHY), ("b", Status.HEALTHY)]


async def test_replicas_that_record_at_once_lose_nothing(evidence: Evidence) -> None:
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(evidence.record, outcomes(1, count(1, 2), instance=f"i{number}"), NOW)
            group.start_soon(evidence.record, outcomes(1, count(1, 2), instance=f"i{number}"), NOW)
    assert [each.candidate for each in await evidence.blocks(ROLLOUT, 0, FAR)] == [Tally(50, 100)]


async def test_nothing_stays_in_redis_for_ever(redis_url: str) -> None:
    async with open_redis(redis_url) as client:
        evidence = RedisEvidence(client)
        await evidence.record(outcomes(1, count(1, 2)), NOW)
        await evidence.record(health(2, Status.HEALTHY), NOW)
        keys = await client.keys("*")
        assert len(keys) == 4
        assert all([0 < await client.ttl(key) <= KEPT_SECONDS for key in keys])


async def test_without_redis_it_says_so(own_redis: Server) -> None:
    async with open_redis(own_redis.url) as client:
        evidence = RedisEvidence(client)
        await own_redis.stop()
        with pytest.raises(UnavailableError, match="redis"):
            await evidence.record(outcomes(1, count(1, 2)), NOW)
        with pytest.raises(UnavailableError, match="redis"):
            await evidence.blocks(ROLLOUT, 0, FAR)
        with pytest.raises(UnavailableError, match="redis"):
            await evidence.health(ROLLOUT)
        with pytest.raises(UnavailableError, match="redis"):
            await evidence.forget(ROLLOUT)

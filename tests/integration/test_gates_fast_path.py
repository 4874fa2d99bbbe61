"""The fast path: one replica records that an application is unhealthy, another one that leads hears it and judges."""

from datetime import UTC, datetime
from uuid import uuid4

import anyio

from control_plane.domain.gates.evidence import EvidenceReport, Health, OutcomeCount, Status
from control_plane.domain.gates.judging import Judgement, Verdict, judge_step, urgent
from control_plane.domain.gates.measurement import Measurement, recorded
from control_plane.domain.gates.outside import Prefixes, Sources
from control_plane.domain.gates.parsing import parse_gates
from control_plane.domain.gates.spec import Gate
from control_plane.domain.gates.trial import Trial
from control_plane.outside.client import open_client
from control_plane.outside.prometheus import Prometheus
from control_plane.outside.webhooks import HttpWebhooks
from control_plane.ports.lossy import AgentPresence
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.evidence import RedisEvidence
from control_plane.redis_cache.notices import ALARMS, RedisNotices
from control_plane.redis_cache.presence import RedisPresence
from control_plane.services.gates.evidences import Evidences
from control_plane.services.gates.judges import Judges
from shared.domain.scope import Revisions, Scope
from shared.runtime.clock import SystemClock, unix_ms
from shared.wire.report import Report
from tests.rig.outside import HERE
from tests.rig.seals import MARKS

CLOCK = SystemClock()
ROLLOUT = uuid4()


def now_ms() -> int:
    return unix_ms(CLOCK.now())


def step(*documents: object) -> tuple[Gate, ...]:
    found: list[object] = []
    gates = parse_gates(list(documents), "", found)  # type: ignore[arg-type]  # they are looked at below
    assert not found
    return gates


class Leader:
    """Looks at the gates of one step, as whoever drives a rollout does."""

    def __init__(self, judges: Judges, gates: tuple[Gate, ...]) -> None:
        self._judges, self._gates = judges, gates
        self.began = now_ms()
        self.kept: tuple[Measurement, ...] = ()

    async def look(self, *, alarmed: bool = False) -> Judgement:
        now = now_ms()
        due = judge_step(self._gates, self.kept, self.began, now).due
        for index in sorted({*due, *(urgent(self._gates) if alarmed else ())}):
            trial = Trial(ROLLOUT, Scope("billing", "prod"), "limit", 1, 5, self.began, measurements=self.kept)
            self.kept = recorded(self.kept, await self._judges.measure(trial, index, self._gates[index], now))
        return judge_step(self._gates, self.kept, self.began, now)


async def test_an_application_that_becomes_unhealthy_fails_its_gate_at_once(redis_url: str) -> None:
    async with open_redis(redis_url) as mine, open_redis(redis_url) as theirs, open_client(reachable=HERE) as outside:
        presence = RedisPresence(mine, MARKS)
        report = Report("i", "billing", "prod", "1", Revisions(0, 0, 5), "live", "amqp")
        await presence.record(AgentPresence(report, "10.0.0.1", datetime(2026, 1, 1, tzinfo=UTC)), 60.0)
        judges = Judges.over(
            presence, RedisEvidence(mine), Prometheus(outside, Sources()), HttpWebhooks(outside, Prefixes()), CLOCK
        )
        leader = Leader(judges, step({"type": "bake", "seconds": 600}, {"type": "health", "interval": 600}))
        here = Evidences(RedisEvidence(mine), RedisNotices(mine, ALARMS), CLOCK)
        there = Evidences(RedisEvidence(theirs), RedisNotices(theirs, ALARMS), CLOCK)
        await there.record(said(1, Status.HEALTHY))
        assert (await leader.look()).verdict is Verdict.OPEN
        async with here.alarms() as alarms:
            began = CLOCK.monotonic()
            await there.record(said(2, Status.UNHEALTHY))
            with anyio.fail_after(5):
                await anext(alarms)
            judged = await leader.look(alarmed=True)
            took = CLOCK.monotonic() - began
        assert judged.verdict is Verdict.FAILED
        assert judged.reason == "gate 1 (health): applications are unhealthy: i"
        assert took < 1


def said(sequence: int, status: Status) -> EvidenceReport:
    health = Health(ROLLOUT, 1, status, now_ms(), "connection refused")
    return EvidenceReport("billing", "prod", "i", sequence, health=(health,))


async def test_outcomes_are_judged_from_redis_by_whoever_leads(redis_url: str) -> None:
    """The second leader knows what the first one stored, and goes on from there."""
    async with open_redis(redis_url) as client, open_client(reachable=HERE) as outside:
        evidence = RedisEvidence(client)
        judges = Judges.over(
            RedisPresence(client, MARKS),
            evidence,
            Prometheus(outside, Sources()),
            HttpWebhooks(outside, Prefixes()),
            CLOCK,
        )
        gates = step({"type": "outcomes", "minimum": 50})
        began = now_ms() // 5_000 * 5_000
        whole: tuple[Measurement, ...] = ()
        pieces: tuple[Measurement, ...] = ()
        for number in range(40):
            now = began + number * 5_000
            counts = (
                OutcomeCount(ROLLOUT, "candidate", now, 8, 2),
                OutcomeCount(ROLLOUT, "baseline", now, 95, 5),
            )
            await evidence.record(EvidenceReport("billing", "prod", "i", number, outcomes=counts), now)
            trial = Trial(ROLLOUT, Scope("billing", "prod"), "limit", 1, 5, began, measurements=pieces)
            stored = (await judges.measure(trial, 0, gates[0], now)).document()
            pieces = recorded(pieces, Measurement.from_document(stored))
        trial = Trial(ROLLOUT, Scope("billing", "prod"), "limit", 1, 5, began)
        whole = recorded(whole, await judges.measure(trial, 0, gates[0], began + 39 * 5_000))
        assert pieces[-1].numbers == whole[-1].numbers
        assert judge_step(gates, whole, began, began + 39 * 5_000).verdict is Verdict.FAILED

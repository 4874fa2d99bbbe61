"""What judges say about what they are told: in process, without any server."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf, nan
from uuid import uuid4

import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.gates.evidence import EvidenceReport, Health, OutcomeCount, Status
from control_plane.domain.gates.judging import Verdict, judge_step
from control_plane.domain.gates.measurement import Measurement, Result, recorded
from control_plane.domain.gates.outside import Prefixes, Sources
from control_plane.domain.gates.parsing import parse_gate
from control_plane.domain.gates.spec import Gate
from control_plane.domain.gates.trial import Trial
from control_plane.embedded.evidence import MemoryEvidence
from control_plane.embedded.memory import MemoryNotices, MemoryPresence
from control_plane.ports.gates import Answer, Silence
from control_plane.ports.lossy import AgentPresence
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.evidence import RedisEvidence
from control_plane.redis_cache.presence import RedisPresence
from control_plane.services.gates.evidences import Evidences
from control_plane.services.gates.judges import Judges
from control_plane.services.gates.live import LiveAgents
from shared.domain.codec import Json
from shared.domain.scope import Revisions, Scope
from shared.wire.remark import Remark
from shared.wire.report import Rejection, Report
from shared.wire.unsupported import Unsupported
from tests.fakes.clock import ManualClock
from tests.rig.seals import MARKS

NOW = 1_800_000_000_000
TRIAL = Trial(uuid4(), Scope("billing", "prod"), "limit", 2, 7, NOW, frozenset({"ann"}))
PASS, FAIL, INCONCLUSIVE = Result.PASS, Result.FAIL, Result.INCONCLUSIVE


class Oracle:
    """Gives the answers that it was told to give."""

    def __init__(self, number: float | Silence = 0.0, answer: Answer | Silence = Silence("")) -> None:  # noqa: B008 - frozen
        self._number, self._answer = number, answer
        self.questions: list[Mapping[str, Json]] = []

    def knows(self, source: str) -> bool:
        return source in {"", "eu"}

    def allows(self, url: str) -> bool:
        return url.startswith("https://ci.example/gates")

    async def number(self, source: str, query: str) -> float | Silence:
        return self._number if (source, query) == ("", "up") else Silence("what?")

    async def ask(self, url: str, question: Mapping[str, Json]) -> Answer | Silence:
        self.questions.append({"url": url, **question})
        return self._answer


class Installation:
    """Judges over what agents report within this process."""

    def __init__(self, oracle: Oracle | None = None) -> None:
        self.presence, self.evidence, oracle = MemoryPresence(), MemoryEvidence(), oracle or Oracle()
        self.judges = Judges.over(self.presence, self.evidence, oracle, oracle, ManualClock())
        self._sequence = 0

    async def agent(
        self,
        instance: str,
        revision: int = 7,
        rejects: int | None = None,
        app_id: str = "billing",
        *,
        unsupported: tuple[Unsupported, ...] = (),
        remarks: tuple[Remark, ...] = (),
    ) -> None:
        rejection = None if rejects is None else Rejection(rejects, "too large")
        report = Report(
            instance, app_id, "prod", "1", Revisions(9, 9, revision), "live", "sse", {"zone": instance}, rejection,
            unsupported=unsupported, remarks=remarks,
        )  # fmt: skip
        await self.presence.record(AgentPresence(report, "10.0.0.1", datetime(2027, 1, 1, tzinfo=UTC)), 60.0)

    async def health(self, instance: str, status: Status, step: int = 2) -> None:
        said = Health(TRIAL.rollout, step, status, NOW, "503 from /healthz")
        await self.evidence.record(EvidenceReport("billing", "prod", instance, self._next(), health=(said,)), NOW)

    async def outcomes(self, at_ms: int, candidate: tuple[int, int], baseline: tuple[int, int]) -> None:
        counts = (
            OutcomeCount(TRIAL.rollout, "candidate", at_ms, *candidate),
            OutcomeCount(TRIAL.rollout, "baseline", at_ms, *baseline),
        )
        await self.evidence.record(EvidenceReport("billing", "prod", "i", self._next(), outcomes=counts), at_ms)

    async def measure(self, spec: Gate, trial: Trial = TRIAL, now_ms: int = NOW) -> Measurement:
        return await self.judges.measure(trial, 0, spec, now_ms)

    async def result(self, document: Json, trial: Trial = TRIAL, now_ms: int = NOW) -> Result:
        return (await self.measure(gate(document), trial, now_ms)).result

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence


def gate(document: Json) -> Gate:
    parsed = parse_gate(document, "", [])
    assert parsed is not None
    return parsed


async def test_a_bake_passes_when_its_time_is_over() -> None:
    bake = {"type": "bake", "seconds": 60}
    assert await Installation().result(bake, now_ms=NOW + 59_999) is INCONCLUSIVE
    assert await Installation().result(bake, now_ms=NOW + 60_000) is PASS


@pytest.mark.parametrize(
    ("approvals", "result"),
    [
        ([], INCONCLUSIVE),
        ([("bob", Role.APPROVER)], INCONCLUSIVE),
        ([("bob", Role.APPROVER), ("bob", Role.ADMIN)], INCONCLUSIVE),
        ([("bob", Role.APPROVER), ("ann", Role.ADMIN)], INCONCLUSIVE),
        ([("bob", Role.APPROVER), ("eve", Role.EDITOR)], INCONCLUSIVE),
        ([("bob", Role.APPROVER), ("cem", Role.ADMIN)], PASS),
    ],
)
async def test_approvals_are_those_of_different_people_who_may_and_did_not_write_it(
    approvals: list[tuple[str, Role]], result: Result
) -> None:
    trial = Trial(TRIAL.rollout, TRIAL.scope, "limit", 2, 7, NOW, TRIAL.authors, tuple(approvals))
    assert await Installation().result({"type": "approval", "count": 2}, trial) is result


async def test_an_approval_can_be_asked_of_certain_roles() -> None:
    trial = Trial(TRIAL.rollout, TRIAL.scope, "limit", 2, 7, NOW, TRIAL.authors, (("bob", Role.APPROVER),))
    assert await Installation().result({"type": "approval", "roles": ["admin"]}, trial) is INCONCLUSIVE
    assert await Installation().result({"type": "approval", "roles": ["approver"]}, trial) is PASS


async def test_a_large_fleet_is_not_listed_at_each_look() -> None:
    clock, listings = ManualClock(), []

    class Slow(MemoryPresence):
        async def list(self, app_id: str | None = None, environment: str | None = None) -> list[AgentPresence]:
            listings.append((app_id, environment))
            clock.advance(0.25)
            return await super().list(app_id, environment)

    agents = LiveAgents(Slow(), clock)
    for _ in range(100):
        await agents.of(TRIAL.scope)
        clock.advance(0.1)
    assert listings == [("billing", "prod")] * 2
    await agents.of(Scope("billing"))
    assert listings[2:] == [("billing", None)]


async def test_without_agents_nobody_can_have_applied_it() -> None:
    here = Installation()
    await here.agent("elsewhere", app_id="shop")
    assert await here.result({"type": "acks"}) is INCONCLUSIVE


async def test_a_share_of_the_agents_has_to_apply_it() -> None:
    here = Installation()
    for instance, revision in (("a", 7), ("b", 8), ("c", 6)):
        await here.agent(instance, revision)
    measured = await here.measure(gate({"type": "acks"}))
    assert (measured.result, measured.numbers) == (INCONCLUSIVE, {"agents": 3, "applied": 2, "rejected": 0})
    assert await here.result({"type": "acks", "share": 0.6}) is PASS


async def test_only_agents_that_the_step_means_have_to_apply_it() -> None:
    here = Installation()
    await here.agent("a", 7)
    await here.agent("b", 6)
    aims = Trial(TRIAL.rollout, TRIAL.scope, "limit", 2, 7, NOW, aims_at=lambda report: report.labels["zone"] == "a")
    assert await here.result({"type": "acks"}, aims) is PASS


async def test_one_agent_that_rejects_it_is_one_too_many() -> None:
    here = Installation()
    await here.agent("a", 7, rejects=6)
    assert await here.result({"type": "acks"}) is PASS
    await here.agent("b", 6, rejects=7)
    measured = await here.measure(gate({"type": "acks", "share": 0.1}))
    assert (measured.result, measured.detail) == (FAIL, "agents rejected it: b")
    assert measured.numbers["reasons"] == {"b": "too large"}


async def test_an_agent_that_has_it_and_does_not_understand_it_rejects_it() -> None:
    here = Installation()
    await here.agent("a", 7)
    await here.agent("b", 9, unsupported=(Unsupported("limit", 6, "rollout: /schema"), Unsupported("else", 9, "newer")))
    assert await here.result({"type": "acks"}) is PASS
    await here.agent("c", 9, unsupported=(Unsupported("limit", 7, "rollout: /schema"),))
    measured = await here.measure(gate({"type": "acks", "share": 0.1}))
    assert (measured.result, measured.detail) == (FAIL, "agents rejected it: c")
    assert measured.numbers["reasons"] == {"c": "limit: rollout: /schema"}


async def test_an_agent_that_does_not_understand_a_later_change_of_the_same_step_rejects_it_too() -> None:
    here = Installation()
    await here.agent("a", 9, unsupported=(Unsupported("else", 8, "newer"),))
    assert await here.result({"type": "acks"}) is PASS
    await here.agent("b", 9, unsupported=(Unsupported("limit", 8, "newer"),))
    assert await here.result({"type": "acks"}) is FAIL


async def test_an_agent_whose_application_does_not_get_it_rejects_it() -> None:
    here = Installation()
    await here.agent("a", 9, remarks=(Remark("drift", "web", "somebody edited it", 0, revision=9),))
    assert await here.result({"type": "acks"}) is PASS
    await here.agent("b", 9, remarks=(Remark("file", "web", "its check said no", 0, refuses=True, revision=6),))
    measured = await here.measure(gate({"type": "acks"}))
    assert (measured.result, measured.numbers["applied"]) == (INCONCLUSIVE, 1), "that began before this step"
    await here.agent("b", 9, remarks=(Remark("file", "web", "its check said no", 0, refuses=True, revision=7),))
    measured = await here.measure(gate({"type": "acks", "share": 0.1}))
    assert (measured.result, measured.numbers["reasons"]) == (FAIL, {"b": "file web: its check said no"})


async def test_health_has_to_be_shown() -> None:
    here = Installation()
    assert await here.result({"type": "health"}) is INCONCLUSIVE
    await here.agent("a")
    await here.health("a", Status.UNKNOWN)
    assert await here.result({"type": "health"}) is INCONCLUSIVE
    await here.health("a", Status.HEALTHY)
    assert await here.result({"type": "health"}) is PASS
    assert await here.result({"type": "health", "min_agents": 2}) is INCONCLUSIVE


async def test_health_under_an_earlier_step_shows_nothing() -> None:
    here = Installation()
    await here.agent("a")
    await here.health("a", Status.HEALTHY, step=1)
    assert await here.result({"type": "health"}) is INCONCLUSIVE


async def test_the_health_of_an_agent_that_is_gone_shows_nothing_but_its_illness_does() -> None:
    here = Installation()
    await here.health("gone", Status.HEALTHY)
    assert await here.result({"type": "health"}) is INCONCLUSIVE
    await here.health("dead", Status.UNHEALTHY)
    measured = await here.measure(gate({"type": "health"}))
    assert (measured.result, measured.detail) == (FAIL, "applications are unhealthy: dead")
    assert measured.numbers["reasons"] == {"dead": "503 from /healthz"}


async def test_some_unhealthy_applications_can_be_allowed() -> None:
    here = Installation()
    for instance, status in (("a", Status.HEALTHY), ("b", Status.UNHEALTHY), ("c", Status.UNKNOWN)):
        await here.agent(instance)
        await here.health(instance, status)
    assert await here.result({"type": "health", "max_unhealthy": 1}) is INCONCLUSIVE
    assert await here.result({"type": "health", "max_unhealthy": 2}) is PASS


async def test_a_long_list_of_ill_applications_is_cut() -> None:
    here = Installation()
    for number in range(100, 150):
        await here.health(f"i{number}", Status.UNHEALTHY)
    measured = await here.measure(gate({"type": "health"}))
    assert measured.detail.endswith("i118, i119 and 30 more")


async def test_outcomes_are_compared_from_look_to_look_until_the_candidate_is_found_out() -> None:
    here, spec = Installation(), gate({"type": "outcomes", "minimum": 100})
    kept: tuple[Measurement, ...] = ()
    for second in range(120):
        now = NOW + second * 1_000
        if second % 5 == 0:
            await here.outcomes(now, (15, 5), (95, 5))
        trial = Trial(TRIAL.rollout, TRIAL.scope, "limit", 2, 7, NOW, measurements=kept)
        kept = recorded(kept, await here.measure(spec, trial, now))
        if judge_step([spec], kept, NOW, now).verdict is Verdict.FAILED:
            break
    assert [each.result for each in kept][-1] is FAIL
    assert second < 60
    assert kept[-1].numbers["candidate"]["rate"] == 0.25
    assert kept[-1].numbers["evidence"] >= 100


async def test_outcomes_pass_with_a_sample_and_no_great_difference() -> None:
    here, document = Installation(), {"type": "outcomes", "minimum": 100, "margin": 0.02}
    for second in range(0, 60, 5):
        await here.outcomes(NOW + second * 1_000, (19, 1), (190, 10))
    early = await here.measure(gate(document), now_ms=NOW + 30_000)
    assert (early.result, early.detail) == (INCONCLUSIVE, "the sample is too small")
    assert await here.result(document, now_ms=NOW + 90_000) is PASS
    measured = await here.measure(gate({**document, "false_pass": 0.05}), now_ms=NOW + 90_000)
    assert (measured.result, measured.detail) == (
        INCONCLUSIVE,
        "it is not shown yet that the candidate is hardly worse",
    )


async def test_a_difference_that_may_be_chance_neither_passes_nor_fails() -> None:
    here = Installation()
    await here.outcomes(NOW, (90, 10), (950, 50))
    await here.outcomes(NOW + 5_000, (94, 6), (950, 50))
    measured = await here.measure(gate({"type": "outcomes"}), now_ms=NOW + 60_000)
    assert measured.detail == "the candidate fails more often, which may still be chance"


async def test_outcomes_from_before_the_step_do_not_count() -> None:
    here = Installation()
    await here.outcomes(NOW - 5_000, (1000, 0), (1000, 0))
    measured = await here.measure(gate({"type": "outcomes"}), now_ms=NOW + 60_000)
    assert measured.numbers["candidate"]["succeeded"] == 0


@pytest.mark.parametrize(
    ("number", "result", "shown"),
    [
        (0.01, PASS, 0.01),
        (0.05, PASS, 0.05),
        (0.06, FAIL, 0.06),
        (inf, FAIL, "inf"),
        (nan, INCONCLUSIVE, "nan"),
    ],
)
async def test_a_number_is_compared(number: float, result: Result, shown: Json) -> None:
    measured = await Installation(Oracle(number)).measure(
        gate({"type": "metric", "query": "up", "op": "lte", "value": 0.05})
    )
    assert (measured.result, measured.numbers["value"]) == (result, shown)


async def test_no_number_is_inconclusive() -> None:
    spec = gate({"type": "metric", "query": "up", "op": "ne", "value": 5})
    measured = await Installation(Oracle(Silence("the query gives nothing"))).measure(spec)
    assert (measured.result, measured.detail) == (INCONCLUSIVE, "Prometheus: the query gives nothing")


async def test_a_webhook_is_told_what_it_is_about_and_its_word_counts() -> None:
    oracle = Oracle(answer=Answer(FAIL, "the canary is too slow"))
    measured = await Installation(oracle).measure(gate({"type": "webhook", "url": "https://ci.example/gates/x"}))
    assert (measured.result, measured.detail) == (FAIL, "the canary is too slow")
    assert oracle.questions == [
        {
            "url": "https://ci.example/gates/x",
            "rollout": str(TRIAL.rollout),
            "app_id": "billing",
            "environment": "prod",
            "key": "limit",
            "step": 2,
            "gate": 0,
            "revision": 7,
            "since": NOW,
            "at": NOW,
        }
    ]


async def test_a_silent_webhook_is_inconclusive() -> None:
    oracle = Oracle(answer=Silence("it did not answer in time"))
    assert await Installation(oracle).result({"type": "webhook", "url": "https://ci.example/gates"}) is INCONCLUSIVE


async def test_what_is_away_makes_a_measurement_inconclusive() -> None:
    here = Installation()
    async with open_redis("redis://127.0.0.1:1") as nobody:
        here.judges = Judges.over(
            RedisPresence(nobody, MARKS), RedisEvidence(nobody), Oracle(), Oracle(), ManualClock()
        )
        for kind in ("acks", "health", "outcomes"):
            measured = await here.measure(gate({"type": kind}))
            assert (measured.result, measured.detail) == (INCONCLUSIVE, "redis is away")


async def test_an_application_that_becomes_unhealthy_rings_the_bell() -> None:
    evidences = Evidences(MemoryEvidence(), MemoryNotices(), ManualClock())
    async with evidences.alarms() as alarms:
        for sequence, status in enumerate([Status.HEALTHY, Status.UNHEALTHY]):
            said = Health(TRIAL.rollout, 1, status, NOW)
            await evidences.record(EvidenceReport("billing", "prod", "i", sequence, health=(said,)))
        assert await anext(alarms) == int(ManualClock().now().timestamp() * 1000)


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({"type": "metric", "query": "up", "op": "eq", "value": 1}, []),
        ({"type": "metric", "query": "up", "op": "eq", "value": 1, "source": "eu"}, []),
        ({"type": "metric", "query": "up", "op": "eq", "value": 1, "source": "us"}, ["/gates/3/source"]),
        ({"type": "webhook", "url": "https://ci.example/gates?a=b"}, []),
        ({"type": "webhook", "url": "https://ci.example/"}, ["/gates/3/url"]),
        ({"type": "bake", "seconds": 1}, []),
    ],
)
def test_whom_nobody_may_ask_is_refused_when_it_is_written(document: Json, pointers: list[str]) -> None:
    found = Installation().judges.violations(gate(document), "/gates/3")
    assert [each.pointer for each in found] == pointers


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://ci.example/gates", True),
        ("https://ci.example/gates/a/b?c=d", True),
        ("https://CI.example:443/gates/a", True),
        ("https://ci.example/gatesa", False),
        ("https://ci.example/", False),
        ("http://ci.example/gates", False),
        ("https://ci.example:444/gates", False),
        ("https://ci.example.evil/gates", False),
        ("https://ci.example@evil/gates", False),
        ("https://ci.example/gates/../admin", False),
        ("https://ci.example/gates/%2e%2e/admin", False),
        ("https://ci.example/gates/%252e%252e/admin", False),
        ("https://ci.example/gates/..%2fadmin", False),
        ("https://ci.example\\gates", False),
        ("https://ci.example:port/gates", False),
        ("http://anything/below", True),
    ],
)
def test_a_url_is_allowed_by_its_host_and_the_beginning_of_its_path(url: str, *, allowed: bool) -> None:
    assert Prefixes.parse("https://ci.example/gates, http://anything").allows(url) is allowed


def test_nothing_is_allowed_where_nothing_is_said() -> None:
    assert not Prefixes.parse("").allows("https://ci.example/")
    assert Sources.parse("").urls == {}


@pytest.mark.parametrize("text", ["ftp://x", "http://", "a", "http://u@x", "http://x/?q", "http://x:y/"])
def test_prefixes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Prefixes.parse(text)


@pytest.mark.parametrize("text", ["a", "a=b", "http://x, http://y", "a=http://x, a=http://y", "A=http://x", "ftp://x"])
def test_sources_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|has a name"):
        Sources.parse(text)


def test_sources_are_named_and_the_first_one_needs_no_name() -> None:
    assert Sources.parse("http://u:p@x/?a=b").urls == {"": "http://u:p@x/?a=b"}
    several = Sources.parse("a=http://x, b=http://y")
    assert several.urls == {"": "http://x", "a": "http://x", "b": "http://y"}
    assert "http" not in repr(several)

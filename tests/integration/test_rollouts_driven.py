"""Rollouts over a real database: acted on by people, driven by one replica or by several at the same time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import (
    ApprovalRequiredError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RolloutRunningError,
    StagingRequiredError,
    UnfitError,
    VersionMismatchError,
)
from control_plane.domain.gates.evidence import EvidenceReport, Health, Status
from control_plane.domain.rollouts.machine import IllegalActionError
from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.spec import NewRollout, Stage
from control_plane.domain.rollouts.words import Outcome, Phase, Strategy
from control_plane.services.rollouts.driving import Driving
from shared.domain.codec import canonical
from shared.domain.entry import Kind
from shared.domain.scope import Scope
from tests.rig.api import Api, serving_api

OLGA = Attribution("olga", "192.0.2.7", "req-1", "admin")
MIA = Attribution("mia", "192.0.2.8", "req-2", "approver")
SYSTEM = Attribution("system", "here")
PROD = Scope("shop", "prod")
PUT = {"op": "put", "app_id": "shop", "environment": "prod", "key": "flow", "value": "old"}


@dataclass
class Site:
    """An API with one config, and its rollouts."""

    api: Api
    drivers: list[Driving] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.acting = self.api.services.acting
        self.drivers.append(self.driver())

    def driver(self) -> Driving:
        return self.acting.driving(self.api.services.evidences, SYSTEM)

    async def create(self, strategy: Strategy = Strategy.PERCENTAGE, **more: Any) -> Rollout:
        asked = {"scope": PROD, "key": "flow", "kind": Kind.VALUE, "candidate": b'"new"', "salt": "s"} | more
        return await self.acting.create(NewRollout(strategy=strategy, **asked), OLGA)

    async def until(self, rollout: Rollout, *phases: Phase, step: int | None = None) -> Rollout:
        with anyio.fail_after(15):
            while True:
                found = await self.acting.get(rollout.id)
                if found.phase in phases and (step is None or found.step == step):
                    return found
                for driver in self.drivers:
                    await driver.look()
                await anyio.sleep(0.005)

    async def actions(self, rollout: Rollout) -> list[str]:
        page = await self.api.services.rollouts.events(rollout.id, limit=200, cursor=None)
        return [each.action for each in reversed(page.items) if each.action != "measured"]

    async def config(self) -> Any:
        return (await self.api.get("/configs?app_id=shop&prefix=flow")).document["items"][0]


@pytest.fixture
async def stage(migrated_url: str) -> AsyncIterator[Site]:
    async with serving_api(migrated_url) as api:
        await api.register()
        await api.post("/changes", {"operations": [PUT]})
        yield Site(api)


STAGES = [Stage(1_000, after_ms=0), Stage(50_000, after_ms=50), Stage(100_000, after_ms=100)]


async def test_a_rollout_goes_by_itself_to_its_end_and_the_candidate_becomes_the_value(stage: Site) -> None:
    rollout = await stage.create(stages=STAGES)
    assert rollout.phase is Phase.PENDING
    assert (await stage.config())["value"] == "old"
    started = await stage.acting.start(rollout.id, OLGA)
    assert (started.phase, started.revision) == (Phase.PROGRESSING, 2)
    assert (await stage.config())["value"] == "old"
    done = await stage.until(rollout, Phase.COMPLETED)
    assert done.outcome is Outcome.KEPT
    assert (await stage.config())["value"] == "new"
    assert await stage.actions(rollout) == ["created", "started", "completed"]
    reverted = await stage.api.post("/changes/3/revert", {})
    assert (reverted.status, (await stage.config())["value"]) == (201, "old")


async def test_several_drivers_at_the_same_time_make_each_move_once(stage: Site) -> None:
    gates = [{"type": "bake", "seconds": 0}]
    stages = [Stage(weight, after_ms=0, gates=gates) for weight in (1_000, 10_000, 50_000, 100_000)]
    rollout = await stage.create(stages=stages)
    await stage.acting.start(rollout.id, OLGA)
    async with anyio.create_task_group() as group:
        for driver in (stage.driver(), stage.driver(), stage.driver()):

            async def drive(driver: Driving = driver) -> None:
                while not (await stage.acting.get(rollout.id)).finished:
                    await driver.look()

            group.start_soon(drive)
    actions = await stage.actions(rollout)
    assert actions == ["created", "started", *["waiting", "advanced"] * 3, "waiting", "completed"]
    assert (await stage.acting.get(rollout.id)).version == len(actions)


async def test_an_unhealthy_application_aborts_with_the_evidence_in_the_record(stage: Site) -> None:
    stages = [Stage(5_000, gates=[{"type": "health"}, {"type": "bake", "seconds": 3_600}]), Stage(100_000)]
    rollout = await stage.create(Strategy.CANARY, stages=stages)
    await stage.acting.start(rollout.id, OLGA)
    await stage.until(rollout, Phase.WAITING)
    sick = Health(rollout.id, 0, Status.UNHEALTHY, 1, "503 from /health")
    report = EvidenceReport("shop", "prod", "i-1", 1, health=(sick,))
    await stage.api.services.evidences.record(report)
    await stage.drivers[0].look(alarmed=True)
    done = await stage.acting.get(rollout.id)
    assert (done.phase, done.outcome) == (Phase.ABORTED, Outcome.WITHDRAWN)
    assert "i-1" in done.reason
    config = await stage.config()
    assert (config["value"], config["version"]) == ("old", 4)
    [aborted] = [
        each
        for each in (await stage.api.services.rollouts.events(rollout.id, limit=10, cursor=None)).items
        if each.action == "aborted"
    ]
    assert "503 from /health" in str(aborted.detail["gates"])
    audit = (await stage.api.get("/audit?limit=1")).document["items"][0]
    assert audit["detail"]["rollout"]["detail"]["gates"][0]["type"] == "health"


async def test_pause_promote_and_resume(stage: Site) -> None:
    stages = [Stage(1_000, after_ms=0), Stage(2_000, after_ms=0, gates=[{"type": "approval"}]), Stage(100_000)]
    rollout = await stage.create(stages=stages)
    with pytest.raises(IllegalActionError) as refused:
        await stage.acting.pause(rollout.id, OLGA, "no")
    assert refused.value.facts["legal_actions"] == ["start", "approve", "abort"]
    await stage.acting.start(rollout.id, OLGA)
    waiting = await stage.until(rollout, Phase.WAITING)
    paused = await stage.acting.pause(rollout.id, OLGA, "lunch", waiting.version)
    with pytest.raises(VersionMismatchError):
        await stage.acting.resume(rollout.id, OLGA, "", waiting.version)
    assert (await stage.acting.resume(rollout.id, OLGA, "", paused.version)).phase is Phase.WAITING
    with pytest.raises(ForbiddenError):
        await stage.acting.approve(rollout.id, OLGA)
    await stage.acting.approve(rollout.id, MIA)
    assert (await stage.until(rollout, Phase.COMPLETED)).outcome is Outcome.KEPT


async def test_a_second_rollout_of_the_same_config_is_refused_and_names_the_first(stage: Site) -> None:
    first, second = await stage.create(Strategy.USER_TARGETING, users=["a"]), await stage.create(Strategy.IMMEDIATE)
    await stage.acting.start(first.id, OLGA)
    with pytest.raises(RolloutRunningError) as refused:
        await stage.acting.start(second.id, OLGA)
    assert refused.value.facts["rollouts"][0]["id"] == str(first.id)
    assert (await stage.acting.promote(first.id, OLGA, "all")).outcome is Outcome.KEPT


async def test_where_nothing_stands_the_candidate_is_exposed_over_what_is_inherited(stage: Site) -> None:
    await stage.api.post("/changes", {"operations": [{"op": "put", "app_id": "shop", "key": "new.key", "value": 1}]})
    asked = {"key": "new.key", "candidate": b"2"}
    rollout = await stage.create(Strategy.USER_TARGETING, users=["ada"], **asked)
    await stage.acting.start(rollout.id, OLGA)
    fetch = {"app_id": "shop", "environment": "prod", "keys": ["new.key"]}
    for who, value in (("ada", 2), ("eve", 1)):
        seen = await stage.api.post("/configs/fetch", fetch | {"context": {"targetingKey": who}})
        assert seen.document["configs"]["new.key"]["value"] == value
    aborted = await stage.acting.abort(rollout.id, OLGA, "no")
    assert aborted.outcome is Outcome.WITHDRAWN
    seen = await stage.api.post("/configs/fetch", fetch | {"context": {"targetingKey": "ada"}})
    assert seen.document["configs"]["new.key"]["value"] == 1


async def test_a_start_needs_the_approvals_of_policies_and_what_follows_does_not(stage: Site) -> None:
    await stage.api.post("/policies", {"name": "p", "pattern": "shop/prod", "required_approvals": 1})
    rollout = await stage.create(Strategy.USER_TARGETING, users=["ada"])
    with pytest.raises(ApprovalRequiredError):
        await stage.acting.start(rollout.id, OLGA)
    await stage.acting.approve(rollout.id, MIA)
    assert (await stage.acting.start(rollout.id, OLGA)).phase is Phase.PROGRESSING
    assert (await stage.acting.abort(rollout.id, OLGA, "no")).phase is Phase.ABORTED


async def test_a_staged_scope_takes_a_rollout_that_has_its_gates_and_none_without(stage: Site) -> None:
    staging = {"gates": ["bake"], "bake": 60, "first_weight": 5_000}
    await stage.api.post("/policies", {"name": "p", "pattern": "shop/prod", "staging": staging})
    with pytest.raises(StagingRequiredError):
        await stage.create(stages=STAGES)
    stages = [Stage(5_000, after_ms=0, gates=[{"type": "bake", "seconds": 60}]), Stage(100_000, after_ms=0)]
    rollout = await stage.create(stages=stages)
    assert (await stage.acting.start(rollout.id, OLGA)).phase is Phase.PROGRESSING
    promoted = await stage.acting.promote(rollout.id, OLGA, "now", full=True)
    assert promoted.outcome is Outcome.KEPT


async def test_what_could_not_start_is_refused_when_it_is_created(stage: Site) -> None:
    schema = {"app_id": "shop", "pattern": "flow", "schema": {"enum": ["old", "new"]}}
    assert (await stage.api.post("/schemas", schema)).status == 201
    with pytest.raises(UnfitError):
        await stage.create(candidate=b'"other"')
    with pytest.raises(NotFoundError):
        await stage.create(scope=Scope("shop", "nowhere"))
    with pytest.raises(InvalidError):
        await stage.create(key="no key")
    metric = [Stage(5_000, gates=[{"type": "metric", "query": "up", "op": "eq", "value": 1}]), Stage(100_000)]
    with pytest.raises(InvalidError) as refused:
        await stage.create(stages=metric)
    assert refused.value.violations[0].pointer.startswith("/stages/0/gates/0")


async def test_a_rollout_starts_at_its_time_and_its_window_closes_by_itself(stage: Site) -> None:
    now = stage.acting.now_ms
    rollout = await stage.create(Strategy.TIME_BASED, start_at_ms=now + 50, opens_ms=now + 60, closes_ms=now + 300)
    await stage.until(rollout, Phase.PROGRESSING)
    done = await stage.until(rollout, Phase.COMPLETED)
    assert (done.outcome, (await stage.config())["value"]) == (Outcome.REVERTED, "old")
    assert await stage.actions(rollout) == ["created", "started", "completed"]


async def test_a_secret_candidate_is_nowhere_in_the_record(stage: Site) -> None:
    secret = PUT | {"key": "s", "value": "hush-old", "sensitive": True}
    await stage.api.post("/changes", {"operations": [secret]})
    rollout = await stage.create(Strategy.IMMEDIATE, key="s", candidate=canonical("hush-new"))
    await stage.acting.start(rollout.id, OLGA)
    await stage.until(rollout, Phase.COMPLETED)
    audit = (await stage.api.get("/audit?limit=100")).body
    assert b"hush" not in audit
    assert "hush" not in str((await stage.api.services.rollouts.events(rollout.id, limit=99, cursor=None)).items)

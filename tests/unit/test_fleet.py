"""The fleet: who reports, how often, and how far a change has come."""

import random
from datetime import UTC, datetime

import pytest

from control_plane.domain.access.principal import agent_of
from control_plane.domain.errors import ForbiddenError, NotFoundError
from control_plane.embedded.memory import MemoryPresence
from control_plane.ports.lossy import ShownCredential
from control_plane.services import fleet as fleet_module
from control_plane.services.fleet import REPORT_INTERVAL, SPREAD, Fleet
from shared.domain.scope import Revisions, Scope
from shared.wire.report import Rejection, Report
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
REPORTER = agent_of("billing", "prod", "rig")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def fleet(store: FakeStore, clock: ManualClock) -> Fleet:
    return Fleet(MemoryPresence(clock), store, clock, random.Random(7))  # noqa: S311 - repeatable, on purpose


def report(instance: str, app_id: str, environment: str, *revisions: int, rejection: Rejection | None = None) -> Report:
    return Report(instance, app_id, environment, "1", Revisions(*revisions), "live", "sse", rejection=rejection)


async def test_a_change_has_converged_where_all_its_scopes_have(store: FakeStore, fleet: Fleet) -> None:
    store.write(Scope())
    store.write(Scope(), Scope("billing"), Scope("billing", "prod"))
    for each in (
        report("a", "billing", "prod", 2, 2, 2),
        report("b", "billing", "prod", 2, 2, 0),
        report("c", "billing", "test", 2, 2, 0),
        report("d", "shop", "prod", 1, 0, 0),
        report("e", "shop", "prod", 1, 0, 0, rejection=Rejection(2, "too large")),
    ):
        await fleet.record(each, "10.0.0.1", REPORTER)
    convergence = await fleet.convergence(2)
    assert (convergence.agents, convergence.applied, convergence.converged) == (5, 2, False)
    assert [each.report.instance for each in convergence.pending] == ["b", "d"]
    assert [each.report.instance for each in convergence.rejected] == ["e"]


async def test_only_agents_that_a_change_concerns_count(store: FakeStore, fleet: Fleet) -> None:
    store.write(Scope("billing", "prod"), Scope("shop"))
    await fleet.record(report("a", "billing", "prod", 0, 0, 1), "10.0.0.1", REPORTER)
    await fleet.record(report("b", "billing", "test"), "10.0.0.1", REPORTER)
    await fleet.record(report("c", "shop", "test", 0, 1, 0), "10.0.0.1", REPORTER)
    await fleet.record(report("d", "else", "test"), "10.0.0.1", REPORTER)
    convergence = await fleet.convergence(1)
    assert (convergence.agents, convergence.applied, convergence.converged) == (2, 2, True)


async def test_a_change_that_is_not_there_has_no_convergence(fleet: Fleet) -> None:
    with pytest.raises(NotFoundError, match="change"):
        await fleet.convergence(1)


async def test_an_agent_that_falls_silent_is_forgotten(fleet: Fleet, clock: ManualClock) -> None:
    await fleet.record(report("a", "billing", "prod"), "10.0.0.1", REPORTER)
    clock.advance(REPORT_INTERVAL * (1 + SPREAD) * 2)
    assert [each.address for each in await fleet.agents("billing")] == ["10.0.0.1"]
    clock.advance(REPORT_INTERVAL * 3)
    assert await fleet.agents() == []


async def test_a_larger_fleet_reports_less_often(
    fleet: Fleet, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "REPORTS_PER_SECOND", 1.0)
    first = await fleet.record(report("first", "billing", "prod"), "10.0.0.1", REPORTER)
    assert REPORT_INTERVAL * (1 - SPREAD) <= first <= REPORT_INTERVAL * (1 + SPREAD)
    waits = [await fleet.record(report(f"i{n}", "billing", "prod"), "10.0.0.1", REPORTER) for n in range(99)]
    assert 100 * (1 - SPREAD) <= waits[-1] <= 100 * (1 + SPREAD)
    assert len(set(waits)) > 50
    clock.advance(10_000)
    alone = await fleet.record(report("first", "billing", "prod"), "10.0.0.1", REPORTER)
    assert alone <= REPORT_INTERVAL * (1 + SPREAD)


async def test_whoever_is_one_instance_reports_for_no_other_and_is_seen_with_its_credential(fleet: Fleet) -> None:
    own = agent_of("billing", "prod", "rig", instance="a", expires_at=NOON, credential="c-1")
    await fleet.record(report("a", "billing", "prod"), "10.0.0.1", own)
    with pytest.raises(ForbiddenError, match="another instance"):
        await fleet.record(report("b", "billing", "prod"), "10.0.0.1", own)
    await fleet.record(report("c", "billing", "prod"), "10.0.0.1", REPORTER)
    assert [each.credential for each in await fleet.agents()] == [
        ShownCredential("c-1", own=True, expires_at=NOON),
        ShownCredential("rig", own=False, expires_at=None),
    ]

"""Scheduled changes are committed at their time, once, whoever dies; or they fail, and nothing of them is applied."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
import anyio.abc
import asyncpg
import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution, Source
from control_plane.postgres.leadership import PostgresLeadership
from control_plane.services.due import Due
from control_plane.workers.scheduler import Scheduler
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import running
from tests.rig.api import Api, serving_api

_CLOCK = SystemClock()
_SYSTEM = Attribution("system", "here", source=Source.SYSTEM)
_PATIENCE = 20


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        yield api


def _due(api: Api) -> Due:
    return api.services.proposals.due(_SYSTEM)


def _scheduler(api: Api, url: str) -> Scheduler:
    return Scheduler(PostgresLeadership(url, "scheduler"), _due(api))


async def _schedule(api: Api, key: str = "a", value: Any = 1, *, after: float = 0.6, **more: Any) -> str:
    operation = {"op": "put", "app_id": "shop", "environment": "prod", "key": key, "value": value}
    at = _CLOCK.now() + timedelta(seconds=after)
    made = await api.post("/changes", {"operations": [operation], "scheduled_at": at.isoformat()} | more)
    assert made.status == 201, made.document
    return str(made.document["id"])


async def _ended(api: Api, change: str) -> Any:
    with anyio.fail_after(_PATIENCE):
        while True:
            found = (await api.get(f"/changes/{change}")).document
            if found["state"] not in {"pending", "scheduled"}:
                return found
            await anyio.sleep(0.05)


def _late(change: Any) -> float:
    at = datetime.fromisoformat(change["life"]["scheduled_at"])
    return (datetime.fromisoformat(change["committed_at"]) - at).total_seconds()


async def test_a_change_is_committed_within_a_second_of_its_time(api: Api, migrated_url: str) -> None:
    async with running(_scheduler(api, migrated_url).run):
        changes = [await _schedule(api, f"k{index}", after=0.7 + index / 10) for index in range(5)]
        done = [await _ended(api, each) for each in changes]
    assert [each["state"] for each in done] == ["committed"] * 5
    assert all(0 <= _late(each) < 1 for each in done)
    assert {(each["author"], each["committed_by"]) for each in done} == {("operator", "system")}
    records = (await api.get("/audit?action=change.committed")).document["items"]
    assert {(each["actor"], each["source"]) for each in records} == {("system", "system")}


async def test_what_is_no_longer_based_on_what_stands_fails_and_says_why(api: Api, migrated_url: str) -> None:
    change = await _schedule(api, base_revision=0, after=1)
    both = [{"op": "put", "app_id": "shop", "environment": "prod", "key": key, "value": 7} for key in ("a", "b")]
    await api.post("/changes", {"operations": both[:1]})
    async with running(_scheduler(api, migrated_url).run):
        failed = await _ended(api, change)
    (conflict,) = failed["life"]["failure"]["conflicts"]
    assert (failed["state"], failed["revision"]) == ("failed", None)
    assert (conflict["key"], conflict["current"]["value"], conflict["yours"]["value"]) == ("a", 7, 1)
    assert await api.services.changes.revision() == 1


async def test_what_cannot_be_valid_any_more_fails(api: Api, migrated_url: str) -> None:
    removal = {"op": "delete", "app_id": "shop", "environment": "prod", "key": "a"}
    await api.post("/changes", {"operations": [removal | {"op": "put", "value": 1}]})
    change = await _schedule(api, operations=[removal], after=1)
    await api.post("/changes", {"operations": [removal]})
    async with running(_scheduler(api, migrated_url).run):
        failed = await _ended(api, change)
    assert failed["state"] == "failed"
    assert [each["pointer"] for each in failed["life"]["failure"]["violations"]] == ["/operations/0/key"]


async def test_policies_and_approvals_are_looked_at_again(api: Api, migrated_url: str) -> None:
    ann = await api.key("ann", Role.APPROVER)
    one = {"name": "p", "pattern": "*/prod", "required_approvals": 1}
    policy = (await api.post("/policies", one)).document
    approved, stricter = await _schedule(api, after=1.5), await _schedule(api, "b", after=3)
    for change in (approved, stricter):
        assert (await api.post(f"/changes/{change}/approve", {}, token=ann)).document["state"] == "scheduled"
    async with running(_scheduler(api, migrated_url).run):
        assert (await _ended(api, approved))["state"] == "committed"
        two = one | {"required_approvals": 2}
        await api.put(f"/policies/{policy['id']}", two, headers={"If-Match": '"1"'})
        failed = await _ended(api, stricter)
    assert (failed["state"], failed["life"]["failure"]["policies"]) == ("failed", ["p"])
    assert "needs 2 approvals and has 1" in failed["life"]["failure"]["detail"]


async def test_what_nobody_approved_in_time_expires(api: Api, migrated_url: str) -> None:
    await api.post("/policies", {"name": "p", "pattern": "*/prod", "required_approvals": 1, "expires_after": 0.5})
    operation = {"op": "put", "app_id": "shop", "environment": "prod", "key": "b", "value": 1}
    timed = await _schedule(api)
    waiting = (await api.post("/changes", {"operations": [operation], "mode": "submit"})).document["id"]
    async with running(_scheduler(api, migrated_url).run):
        ended = [await _ended(api, each) for each in (timed, waiting)]
    assert [(each["state"], each["life"]["failure"]["detail"]) for each in ended] == [
        ("expired", "Nobody approved it in time.")
    ] * 2
    assert await api.services.changes.revision() == 0


async def test_two_at_the_same_time_do_it_once(api: Api) -> None:
    changes = [await _schedule(api, f"k{index}", after=1) for index in range(30)]
    await anyio.sleep_until(anyio.current_time() + 1.2)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(_due(api).carry_out)
    assert {(await _ended(api, each))["state"] for each in changes} == {"committed"}
    assert await api.services.changes.revision() == 30


async def test_changes_due_at_the_same_time_are_committed_in_the_order_of_their_making(api: Api) -> None:
    at = (_CLOCK.now() + timedelta(seconds=0.8)).isoformat()
    for value in range(10):
        await _schedule(api, "a", value, scheduled_at=at)
    await anyio.sleep_until(anyio.current_time() + 1)
    await _due(api).carry_out()
    fetched = await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod"})
    assert (fetched.document["configs"]["a"]["value"], fetched.document["revision"]) == (9, 10)


async def test_a_leader_that_is_stopped_midway_is_replaced_within_two_seconds(api: Api, migrated_url: str) -> None:
    changes = [await _schedule(api, f"k{index}", after=1 + index / 10) for index in range(30)]
    async with anyio.create_task_group() as group:
        first = await group.start(partial(_leads_until_stopped, _scheduler(api, migrated_url)))
        async with running(_scheduler(api, migrated_url).run):
            await _ended(api, changes[10])
            first.cancel()
            done = [await _ended(api, each) for each in changes]
    assert {each["state"] for each in done} == {"committed"}
    assert all(_late(each) < 2 for each in done)
    assert await api.services.changes.revision() == 30


async def test_a_leader_that_loses_its_session_is_replaced_within_two_seconds(api: Api, migrated_url: str) -> None:
    changes = [await _schedule(api, f"k{index}", after=1 + index / 10) for index in range(20)]
    async with running(_scheduler(api, migrated_url).run, _scheduler(api, migrated_url).run):
        await _ended(api, changes[3])
        connection = await asyncpg.connect(migrated_url)
        try:
            ended = await connection.fetch(
                "select pg_terminate_backend(a.pid) from pg_stat_activity as a join pg_locks as l on l.pid = a.pid"
                " where a.application_name = 'trimtab scheduler' and a.datname = current_database()"
                " and l.locktype = 'advisory' and l.granted"
            )
        finally:
            await connection.close()
        assert len(ended) == 1
        done = [await _ended(api, each) for each in changes]
    assert {each["state"] for each in done} == {"committed"}
    assert all(_late(each) < 2 for each in done)
    assert await api.services.changes.revision() == 20


async def _leads_until_stopped(scheduler: Scheduler, *, task_status: anyio.abc.TaskStatus[anyio.CancelScope]) -> None:
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            await group.start(scheduler.run)
            task_status.started(scope)

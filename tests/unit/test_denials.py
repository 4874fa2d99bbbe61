"""Denials are recorded, and fill no chain."""

from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import UnavailableError
from control_plane.services.audit import Audit
from control_plane.services.denials import EVERY, MAX_OBJECTS, Denials
from tests.fakes.clock import ManualClock

EVE = Attribution("eve")


@dataclass
class _Log:
    """Keeps what is recorded; `away` makes it fail."""

    away: bool = False
    records: list[tuple[str, str, str, Any, str]] = field(default_factory=list)

    async def record(self, by: Attribution, action: str, object_: str, detail: Any, outcome: str) -> int:
        if self.away:
            dependency = "postgresql"
            raise UnavailableError(dependency, "stopped by the test")
        self.records.append((by.principal, action, object_, detail, outcome))
        return len(self.records)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def log() -> _Log:
    return _Log()


@pytest.fixture
def denials(log: _Log, clock: ManualClock) -> Denials:
    return Denials(Audit(log), clock)  # type: ignore[arg-type]  # a log that can only record


async def test_the_first_of_a_kind_is_recorded_at_once_and_the_rest_once_a_minute(
    denials: Denials, log: _Log, clock: ManualClock
) -> None:
    for _ in range(1000):
        await denials.add(EVE, "apps.write", "POST /apps", {"reason": "no"})
    assert log.records == [("eve", "apps.write", "POST /apps", {"reason": "no"}, "denied")]
    clock.advance(EVERY - 1)
    await denials.tell()
    assert len(log.records) == 1
    clock.advance(1)
    await denials.tell()
    (_, told) = log.records
    assert (told[1], told[2], told[3]["count"], told[3]["objects"]) == (
        "apps.write",
        "POST /apps",
        999,
        {"POST /apps": 999},
    )
    clock.advance(EVERY)
    await denials.tell()
    assert len(log.records) == 2
    await denials.add(EVE, "apps.write", "POST /apps", {})
    assert len(log.records) == 3


async def test_kinds_are_told_apart_by_who_and_what_for(denials: Denials, log: _Log) -> None:
    for who, permission in (("eve", "apps.write"), ("eve", "apps.read"), ("mallory", "apps.write")):
        await denials.add(Attribution(who), permission, "x", {})
    assert [each[:2] for each in log.records] == [
        ("eve", "apps.write"),
        ("eve", "apps.read"),
        ("mallory", "apps.write"),
    ]


async def test_one_record_names_a_bounded_number_of_things(denials: Denials, log: _Log) -> None:
    for number in range(100):
        await denials.add(EVE, "apps.write", f"thing {number}", {})
    await denials.tell(everything=True)
    told = log.records[1]
    assert told[2] == "several"
    assert told[3]["count"] == 99
    assert len(told[3]["objects"]) == MAX_OBJECTS + 1
    assert told[3]["objects"]["other"] == 99 - MAX_OBJECTS


async def test_what_cannot_be_recorded_now_is_counted_and_told_later(
    denials: Denials, log: _Log, clock: ManualClock
) -> None:
    log.away = True
    await denials.add(EVE, "apps.write", "POST /apps", {})
    clock.advance(EVERY)
    await denials.tell()
    log.away = False
    clock.advance(EVERY)
    await denials.tell()
    assert [each[3]["count"] for each in log.records] == [1]


async def test_a_replica_that_stops_tells_what_it_has_counted(denials: Denials, log: _Log) -> None:
    async with anyio.create_task_group() as group:
        await group.start(denials.run)
        for _ in range(3):
            await denials.add(EVE, "apps.write", "POST /apps", {})
        group.cancel_scope.cancel()
    assert [each[3].get("count") for each in log.records] == [None, 2]

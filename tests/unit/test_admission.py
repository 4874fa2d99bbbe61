"""Places for what is large: a few at once, some wait, the rest are sent away, and nobody keeps a place for ever."""

import anyio
import pytest

from control_plane.domain.errors import OverloadedError
from control_plane.metrics import Metrics
from control_plane.services import admission as module
from control_plane.services.admission import Admission


async def test_no_more_than_there_are_places_and_the_rest_in_their_turn() -> None:
    admission, inside, most, served = Admission(3, 100, Metrics()), 0, 0, 0

    async def visit() -> None:
        nonlocal inside, most, served
        async with admission.place():
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0.001)
            inside -= 1
        served += 1

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(visit)
    assert (most, served) == (3, 100)


async def test_who_finds_too_many_waiting_is_sent_away_for_different_times() -> None:
    metrics = Metrics()
    admission = Admission(1, 0, metrics)
    told = set()
    async with admission.place():
        for _ in range(200):
            with pytest.raises(OverloadedError) as raised:
                async with admission.place():
                    pass
            told.add(raised.value.retry_after)
    assert told == {1, 2, 3, 4, 5}
    assert metrics.registry.get_sample_value("trimtab_http_overloaded_total") == 200
    async with admission.place():
        pass


async def test_nobody_waits_for_ever_and_nobody_holds_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    admission = Admission(1, 1, Metrics())
    async with admission.place():
        with pytest.raises(OverloadedError):
            async with admission.place():
                pass
    monkeypatch.setattr(module, "HOLD_SECONDS", 0.01)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 5.0)
    async with admission.place(), admission.place():
        pass
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(module, "HOLD_SECONDS", 10.0)
    async with admission.place():  # what was given back twice would make two places of one
        with pytest.raises(OverloadedError):
            async with admission.place():
                pass


async def test_who_goes_away_gives_the_place_back() -> None:
    admission = Admission(1, 1, Metrics())
    for _ in range(3):
        with anyio.move_on_after(0.01):
            async with admission.place():
                await anyio.sleep_forever()
        with anyio.move_on_after(0.01):
            async with admission.place(), admission.place():
                pass
    async with admission.place():
        pass

"""The local API says how far the clock is off, which configs it cannot understand, and why configs yielded what they did."""

from datetime import timedelta
from typing import Any

import pytest

from agent.sync.skew import Skew
from shared.domain.entry import Entry
from shared.runtime.clock import unix_ms
from tests.fakes.clock import ManualClock
from tests.fakes.snapshots import following, snapshot_of
from tests.integration.test_local_api import Agent, agent
from tests.integration.test_local_api_evaluating import FLAG, entry, post, seeing


async def scraped(it: Agent) -> dict[str, float]:
    _, body, _ = await it.get("/metrics")
    lines = [each for each in body.decode().splitlines() if each.startswith("trimtab_agent_")]
    return {name: float(value) for name, _, value in (each.rpartition(" ") for each in lines)}


def off_by(skew: Skew, clock: ManualClock, seconds: float) -> None:
    skew.measured(skew.begin(), unix_ms(clock.now() - timedelta(seconds=seconds)))


async def test_the_clock_is_compared_with_the_control_planes() -> None:
    clock = ManualClock()
    async with agent(clock=clock) as it:
        seeing(it, entry("f", FLAG, "flag"))
        assert (await it.get("/status"))[1]["clock_skew"] is None
        assert "trimtab_agent_clock_skew_seconds" not in await scraped(it)
        off_by(it.skew, clock, 35.0)
        seen: dict[str, Any] = (await it.get("/status"))[1]["clock_skew"]
        assert (seen["seconds"], seen["suspicious"]) == (pytest.approx(35, abs=0.01), True)
        assert (await it.get("/v1/explain/f"))[1]["clock_skew"] == seen
        assert (await scraped(it))["trimtab_agent_clock_skew_seconds"] == pytest.approx(35, abs=0.01)
        assert (await scraped(it))["trimtab_agent_clock_skew_uncertainty_seconds"] < 0.01


async def test_what_is_not_understood_is_listed_and_the_rest_is_served() -> None:
    async with agent() as it:
        newer = {"a": Entry("a", "hologram", b"1", 3, 7), "b": Entry("b", "value", b"2", 1, 2)}
        it.live(following(it.store.current, 7, newer))
        unsupported = (await it.get("/status"))[1]["unsupported"]
        assert unsupported == {
            "configs": 1,
            "last": [{"key": "a", "revision": 7, "reason": "the kind 'hologram' is not known"}],
        }
        assert (await scraped(it))["trimtab_agent_unsupported_configs"] == 1
        assert (await it.get("/v1/values/b"))[1] == 2
        it.live(snapshot_of(8, {"b": 2}))
        assert (await it.get("/status"))[1]["unsupported"] == {"configs": 0, "last": []}


async def test_evaluations_are_counted_by_reason() -> None:
    async with agent() as it:
        seeing(it, entry("f", FLAG, "flag"), entry("plain", 1))
        for path in ("configs/f", "configs/f?country=SE", "values/plain", "values/plain", "configs/nothing"):
            await it.get(f"/v1/{path}")
        await post(it, "/v1/evaluate", {"context": {"country": "SE"}, "keys": ["f", "plain", "nothing"]})
        counts = await scraped(it)
        by_reason = {
            name.split('"')[1]: count
            for name, count in counts.items()
            if name.startswith("trimtab_agent_evaluations_total")
        }
        assert by_reason == {
            "STATIC": 3, "DEFAULT": 1, "TARGETING_MATCH": 2, "SPLIT": 0, "DISABLED": 0, "UNKNOWN": 0, "ERROR": 2, "STALE": 0,
        }  # fmt: skip

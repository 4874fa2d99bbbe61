"""Rates: how they are written, what they let pass over time, and what is left of it without a shared counter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.errors import RateLimitedError, UnavailableError
from control_plane.domain.rates import Kind, Rate, Taken, origin, take
from control_plane.embedded.rates import MemoryRateCounters
from control_plane.metrics import Metrics
from control_plane.services.rates import Rates
from control_plane.settings.load import SettingsError, load_settings
from tests.fakes.clock import ManualClock

FEW = Rate(1, 3)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("50/s", Rate(50, 500)),
        ("50/s:7", Rate(50, 7)),
        ("30/m", Rate(0.5, 5)),
        ("1/h", Rate(1 / 3600, 1)),
        ("off", None),
    ],
)
def test_rates_are_read(text: str, rate: Rate | None) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["", "0/s", "50", "50/d", "-1/s", "1/s:0", "1e3/s", "nan/s", "1/s:", "٣/s", "9" * 30])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be like"):
        Rate.parse(text)
    with pytest.raises(SettingsError, match="TRIMTAB_RATE_READS: must be like"):
        load_settings({"TRIMTAB_DATABASE_URL": "postgresql://x/y", "TRIMTAB_RATE_READS": text})


@given(
    st.floats(0.01, 1_000),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(-5, 20), st.integers(1, 50)), max_size=60),
)
def test_nobody_gets_more_than_the_burst_and_what_time_brought(
    per_second: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    """Also where the clock is set back now and then: what it goes back by is not given again."""
    rate, paid, now, forward, granted = Rate(per_second, burst), 0.0, 100.0, 0.0, 0
    for step, upto in steps:
        now, forward = now + step, forward + max(0.0, step)
        taken, paid = take(paid, now, rate, upto)
        granted += taken.granted
        assert 0 <= taken.granted <= upto
        assert taken.remaining >= 0
        assert 0 <= taken.wait <= rate.interval * (burst + 1)
    assert granted <= burst + forward * per_second + len(steps) + 1


@given(st.floats(0.01, 1_000), st.integers(1, 1_000))
def test_whoever_waits_as_long_as_told_gets_one(per_second: float, burst: int) -> None:
    rate = Rate(per_second, burst)
    _, paid = take(0.0, 100.0, rate, burst)
    refused, paid = take(paid, 100.0, rate, 1)
    assert refused.granted == 0
    assert take(paid, 100.0 + refused.wait + 1e-6, rate, 1)[0].granted == 1


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unknown:x", "unknown:x"),
    ],
)
def test_a_network_of_ipv6_is_one_address(address: str, counted: str) -> None:
    assert origin(address) == counted


class _Shared:
    """A shared counter that says how often it was asked, and can be away."""

    def __init__(self, clock: ManualClock) -> None:
        self.inner, self.asked, self.away = MemoryRateCounters(clock), 0, False

    async def take(self, name: str, rate: Rate, upto: int = 1) -> Taken:
        self.asked += 1
        if self.away:
            raise UnavailableError("redis", "gone")  # noqa: EM101 - a name
        return await self.inner.take(name, rate, upto)


def _rates(clock: ManualClock, shared: _Shared, rate: Rate) -> Rates:
    every = dict.fromkeys(Kind, rate)
    return Rates(every | {Kind.AGENTS: None}, shared, MemoryRateCounters(clock), clock, Metrics())


async def test_the_shared_counter_is_asked_for_batches_only() -> None:
    clock = ManualClock()
    shared = _Shared(clock)
    rates = _rates(clock, shared, Rate(1_000, 1_000))
    left = [allowed.remaining for _ in range(100) if (allowed := await rates.require(Kind.READS, "anna"))]
    assert left == list(range(999, 899, -1))
    assert shared.asked == 10


async def test_without_the_shared_counter_there_is_still_a_bound() -> None:
    clock = ManualClock()
    shared = _Shared(clock)
    shared.away = True
    rates = _rates(clock, shared, FEW)
    for _ in range(3):
        await rates.require(Kind.LOGINS, "anna")
    with pytest.raises(RateLimitedError) as raised:
        await rates.require(Kind.LOGINS, "anna")
    assert raised.value.wait == 1.0
    await rates.require(Kind.LOGINS, "bert")
    shared.away = False
    await rates.require(Kind.LOGINS, "anna")


async def test_what_is_off_is_not_counted() -> None:
    clock = ManualClock()
    shared = _Shared(clock)
    assert await _rates(clock, shared, FEW).require(Kind.AGENTS, "one") is None
    assert shared.asked == 0


async def test_memory_is_bounded_whoever_asks() -> None:
    counters = MemoryRateCounters(ManualClock(), max_names=10)
    for number in range(1_000):
        await counters.take(str(number), FEW)
    assert len(counters._paid) == 10

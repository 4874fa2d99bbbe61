"""An agent that lives through many changes and much trouble holds no more memory, files or sockets than before.

The long form, of a million changes, is `make soak`.
"""

from pathlib import Path

import pytest

from bench.soak import SHORT, GrewError, Look, Soaked, judge, soak

MIB = 2**20


@pytest.mark.timeout(240)
async def test_twenty_thousand_changes_leave_nothing_behind(tmp_path: Path) -> None:
    soaked = await soak(tmp_path, SHORT)
    counters = soaked.counters
    assert counters["applied"] >= SHORT
    assert all(counters[name] for name in ("gaps", "rejections", "reconnects", "malformed", "resyncs")), counters
    assert counters["keep_failures"] == 0
    assert {200, 403, 404, 422} <= soaked.reads.keys()
    assert not any(status >= 500 for status in soaked.reads), soaked.reads
    judge(soaked, max_growth=0.08)


def looks(*held: tuple[int, int]) -> Soaked:
    return Soaked(1, 1, {}, [Look(number, rss, files) for number, (rss, files) in enumerate(held)])


def test_growing_memory_is_told_from_noise() -> None:
    steady = [(20 * MIB, 9), (30 * MIB, 9), (40 * MIB, 9)]
    judge(looks(*steady, *[(41 * MIB, 10), (40 * MIB, 10)] * 3))
    grown = looks(*steady, *[((40 + number) * MIB, 10) for number in range(6)])
    assert grown.slope == pytest.approx(MIB)
    with pytest.raises(GrewError, match="memory grew by 7"):
        judge(grown)


def test_one_descriptor_more_is_a_leak() -> None:
    with pytest.raises(GrewError, match="from 10 to 11"):
        judge(looks(*[(40 * MIB, 10)] * 6, *[(40 * MIB, 11)] * 3))

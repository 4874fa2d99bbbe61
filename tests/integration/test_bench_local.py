"""The comparison of the local API with others: its ratios, its report, its clients."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from bench.local.clients import Requests, Run
from bench.local.goals import GOALS, NGINX, OURS, REDIS, UNLEASH, VALUE, Goal
from bench.local.material import FLAGS, flags, unleash_document, value
from bench.local.report import BEGIN, END, Report
from shared.domain.codec import decode, encode

RUNS = {
    VALUE: {
        OURS: [Run(5, 100, 60), Run(9, 100, 60), Run(6, 100, 60)],
        NGINX: [Run(10, 80, 60), Run(10, 80, 60), Run(10, 80, 60)],
    }
}


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    goal = Goal(VALUE, OURS, NGINX, 0.65)
    assert goal.measured(RUNS) == pytest.approx(0.6)
    assert goal.reached(0.65)
    assert not goal.reached(0.66)
    assert Goal(VALUE, OURS, REDIS, 1.0).measured(RUNS) is None


def test_so_many_times_less_is_the_ratio_turned_round() -> None:
    goal = Goal(VALUE, OURS, NGINX, 20, times=True)
    assert goal.measured(RUNS) == pytest.approx(1 / 0.6)
    assert (goal.reached(20), goal.reached(19)) == (True, False)
    assert "20 times less" in goal.text


def test_every_goal_is_told_whether_it_was_measured_or_not() -> None:
    text = Report(RUNS, {"nginx": "1.22"}, {"consul": "not on the PATH"}).markdown("chart.svg")
    assert f"| {VALUE}: {OURS} | CPU at most 0.65 of {NGINX}'s | 0.60 | yes |" in text
    assert text.count("not measured | -") == len(GOALS) - 1
    assert "Not measured: consul (not on the PATH)." in text
    assert f"| {VALUE} | {OURS} | 6.0 | 100 | 60 |" in text


def test_the_report_replaces_itself_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Ours\n\nbefore\n\n{BEGIN}\n\nold\n\n{END}\n\nafter\n")
    report = Report(RUNS, {}, {})
    report.write(page)
    once = page.read_text()
    assert once.startswith("# Ours\n\nbefore\n")
    assert once.endswith("\n\nafter\n")
    assert "old" not in once
    report.write(page)
    assert page.read_text() == once
    assert "(benchmarks/local.svg)" in once
    chart = ET.fromstring((tmp_path / "benchmarks" / "local.svg").read_text())  # noqa: S314 - our own
    assert len(chart.findall("{*}rect")) == 1 + 2


def test_a_report_into_a_new_file_makes_it(tmp_path: Path) -> None:
    Report(RUNS, {}, {}).write(tmp_path / "new.md")
    assert BEGIN in (tmp_path / "new.md").read_text()


def test_requests_that_differ_never_come_twice() -> None:
    differing = Requests("/x?who=@", '{"a":"@"}', (("Content-Type", "application/json"),))
    first, second = differing.script(), differing.script()
    assert first != second
    assert "[==[/x?who=]==] .. n .. [==[]==]" in first
    same = Requests("/x")
    assert same.script() == same.script()


def test_everybody_is_given_the_same() -> None:
    assert len(encode(value())) == 121
    keys = [each.key for each in flags(FLAGS)]
    document = unleash_document(FLAGS, "default", "development")
    assert [each["name"] for each in document["data"]["features"]] == keys
    assert len(set(keys)) == FLAGS


@pytest.mark.parametrize("unix", [False, True])
async def test_our_own_client_asks_over_both_kinds_of_sockets(tmp_path: Path, *, unix: bool) -> None:
    app, seen = web.Application(), list[str]()

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(body=b"x" * 100_000)

    app.router.add_get("/v", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    path = str(tmp_path / "s")
    site = web.UnixSite(runner, path) if unix else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = path if unix else f"127.0.0.1:{runner.addresses[0][1]}"
    done = await anyio.run_process([sys.executable, "-m", "bench.local.asking", address, "/v", "3", "0.3"])
    await runner.cleanup()
    said = decode(done.stdout)
    assert 0 < said["answers"] <= len(seen)
    assert said["p50"] > 0
    assert said["rate"] > 0


def test_unleash_is_measured_by_the_same_flags_as_ours() -> None:
    assert any(goal.theirs == UNLEASH for goal in GOALS)

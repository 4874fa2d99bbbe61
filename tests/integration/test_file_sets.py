"""File sets on a real disk with real programs: whole or not at all, checked, taken up, or given back."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from signal import Signals
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import orjson
import pytest
from aiohttp import web

from agent.files.file_set import OnDrift
from agent.files.generations import CURRENT, DRAFT, Generations
from agent.files.hooks import Command, HealthGate, Post, Signal
from agent.files.publication import publication_of
from agent.files.renderer import Renderer
from agent.files.state import Phase
from agent.files.target import File, Format
from agent.probing.target import CommandTarget
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import running
from tests.fakes.snapshots import snapshot_of
from tests.rig.file_sets import Site, script, site_of, until
from tests.rig.publishing import FILES, pair
from tests.servers.server import free_port


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    """Makes a site whose set is one file in a directory of the set's own, or at a place of its own."""
    return partial(site_of, tmp_path)


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, where there is one: what a thousand swaps prove does not depend on how slow a disk is."""
    memory = Path("/dev/shm")  # noqa: S108 - it is the directory in it that is used
    if not memory.is_dir():
        yield tmp_path
        return
    with TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


async def test_a_directory_is_laid_out_as_a_mounted_config_map(site: Callable[..., Site], tmp_path: Path) -> None:
    it = site(keep=1)
    for number in range(4):
        assert await it.bring(a=number)
    out = tmp_path / "out"
    names = sorted(each.name for each in out.iterdir())
    assert names == ["..data", "..good", "..trimtab-0000000003-r3", "..trimtab-0000000004-r4", "config.json"]
    assert (str((out / "config.json").readlink()), (out / CURRENT).readlink().name) == ("..data/config.json", names[3])
    assert (it.shown(), it.state.phase, it.state.generation) == ({"a": 3}, Phase.PUBLISHED, names[3])
    before = (out / CURRENT).lstat().st_mtime_ns
    assert await it.bring(a=3)
    assert (out / CURRENT).lstat().st_mtime_ns == before, "what is the same is not written"
    assert it.state.revision == 5


@pytest.mark.parametrize("directory", [True, False])
async def test_what_others_put_there_is_never_touched(
    site: Callable[..., Site], tmp_path: Path, *, directory: bool
) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    foreign = [out / "mine.txt", out / "sub" / "x", out / "..2026_01_01"]
    for each in foreign:
        each.write_text("mine")
    it = site(directory=directory, keep=0)
    for number in range(3):
        assert await it.bring(a=number)
    assert [each.read_text() for each in foreign] == ["mine"] * 3
    if directory:
        it.file_set = replace(it.file_set, files=(File(Path("mine.txt"), Format.JSON),))
        it.begin()
        assert not await it.bring(a=9)
        assert "mine.txt is there already and is not ours" in it.state.detail
        assert (out / "config.json").exists(), "what was published before still stands"


async def test_a_reader_sees_whole_files_of_one_revision_through_a_thousand_swaps(quick_path: Path) -> None:
    """It is a process of its own, on a processor of its own if there is one."""
    out, state = quick_path / "out", quick_path / "state"
    store = SnapshotStore(Snapshot.empty("billing", "prod"))
    renderer = Renderer(store, [pair(out)], SystemClock(), state)
    store.swap(snapshot_of(1, {"revision": 1}))
    await renderer.render()
    words = [sys.executable, "-m", "tests.rig.reading", str(out)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:  # noqa: ASYNC220, S603
        assert reader.stdout is not None
        assert await anyio.to_thread.run_sync(reader.stdout.readline) == "reading\n"
        for revision in range(2, 1_001):
            store.swap(snapshot_of(revision, {"revision": revision, "filler": "x" * (revision % 7) * 1_000}))
            assert await renderer.render()
        told, _ = await anyio.to_thread.run_sync(reader.communicate)
    assert reader.returncode == 0, told
    times, first, last = map(int, told.split())
    assert (times > 100, first < last) == (True, True), told


@pytest.mark.timeout(900)
@pytest.mark.parametrize("directory", [True, False])
async def test_a_kill_at_any_moment_leaves_whole_files_and_the_next_process_goes_on(
    quick_path: Path, *, directory: bool
) -> None:
    """In a directory both files are of one revision; at places of their own each is whole. `TRIMTAB_TEST_KILLS`: the long form."""
    random, out, last = Random(7), quick_path / "out", 0  # noqa: S311 - moments, not secrets
    for _ in range(int(os.environ.get("TRIMTAB_TEST_KILLS", "6"))):
        last = await _killed(quick_path, last + 1, random.uniform(0.0, 0.03), directory=directory)
        revisions = {orjson.loads((out / name).read_bytes())["revision"] for name in FILES}
        assert min(revisions) >= last
        assert len(revisions) == 1 or not directory
        last = max(revisions)
    renderer = Renderer(store_of(last + 1), [pair(out, directory=directory)], SystemClock(), quick_path / "state")
    assert await renderer.render()
    names = names_below(quick_path)
    assert not [name for name in names if name.endswith(".trimtab") or name == DRAFT]
    assert sum(name.startswith("..trimtab-") for name in names) <= 1 + pair(out).keep


async def _killed(place: Path, first: int, after: float, *, directory: bool) -> int:
    """Start a process that publishes, and kill it in the midst of it; the revision that it published for sure."""
    words = [sys.executable, "-m", "tests.rig.publishing", str(place / "out"), str(place / "state"), str(first)]
    with subprocess.Popen([*words, *([] if directory else ["places"])], stdout=subprocess.PIPE) as process:  # noqa: ASYNC220, S603
        assert process.stdout is not None
        line = await anyio.to_thread.run_sync(process.stdout.readline)
        await anyio.sleep(after)
        process.kill()
        return int(line)


def names_below(path: Path) -> list[str]:
    return [each.name for each in path.rglob("*")]


def store_of(revision: int) -> SnapshotStore:
    store = SnapshotStore(Snapshot.empty("billing", "prod"))
    store.swap(snapshot_of(revision, {"revision": revision}))
    return store


@pytest.mark.parametrize("directory", [True, False])
async def test_a_check_that_says_no_keeps_what_is_published(
    site: Callable[..., Site], tmp_path: Path, *, directory: bool
) -> None:
    log = tmp_path / "log"
    words = script(
        tmp_path / "check",
        f'echo "$TRIMTAB_SET $TRIMTAB_REVISION" >> {log}; find "$1" -name config.json | xargs grep -q good',
    )
    it = site(directory=directory, check=Command((*words, "{staged}")))
    assert await it.bring(a="good")
    assert not await it.bring(a="bad")
    assert (it.shown(), it.state.phase, it.state.revision) == ({"a": "good"}, Phase.REFUSED, 1)
    [remark] = it.remarks.current
    assert (remark.kind, remark.about, remark.refuses, remark.revision) == ("file", "web", True, 2)
    assert "check ended with 1" in remark.detail
    assert not await it.bring(a="bad")
    assert it.remarks.current[0].revision == 3, "it is said again of a later revision"
    assert log.read_text().splitlines() == ["web 1", "web 2"], "the same bytes are not tried again"
    it.renderer.again()
    assert not await it.renderer.render()
    assert log.read_text().splitlines()[2:] == ["web 3"], "unless somebody asks"
    assert await it.bring(a="good", b=1)
    assert (it.shown(), it.remarks.current) == ({"a": "good", "b": 1}, ())


@pytest.mark.parametrize("directory", [True, False])
async def test_what_the_application_does_not_bear_is_given_back(
    site: Callable[..., Site], tmp_path: Path, *, directory: bool
) -> None:
    """The application takes what it finds at a reload, and is well unless that is bad."""
    log, out = tmp_path / "log", tmp_path / "out" / "config.json"
    reload = script(tmp_path / "reload", f"tr -d ' \\n' < {out} >> {log}; echo >> {log}")
    healthy = script(tmp_path / "healthy", f"tail -n 1 {log} | grep -vq bad")
    gate = HealthGate(CommandTarget(healthy), within=0.5, interval=0.05)
    it = site(directory=directory, reload=(Command(reload),), health=gate)
    assert await it.bring(a="good")
    assert not await it.bring(a="bad")
    assert (it.shown(), it.state.phase) == ({"a": "good"}, Phase.RETURNED)
    lines = log.read_text().splitlines()
    assert lines == ['{"a":"good"}', '{"a":"bad"}', '{"a":"good"}'], "it is told of both"
    assert "not healthy within 0.5 s: exit code 1; returned to ..trimtab-" in it.remarks.current[0].detail
    assert not await it.bring(a="bad")
    assert log.read_text().splitlines() == lines
    assert await it.bring(a="better")
    assert (it.shown(), it.remarks.current) == ({"a": "better"}, ())


async def test_a_first_content_that_is_not_borne_has_nothing_to_return_to(site: Callable[..., Site]) -> None:
    it = site(reload=(Command(("false",)),))
    assert not await it.bring(a=1)
    assert (it.shown(), it.state.phase, it.state.detail) == ({"a": 1}, Phase.UNHEALTHY, "false ended with 1")


async def test_a_process_that_died_before_the_reload_has_it_done_by_the_next_one(
    site: Callable[..., Site], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    it = site(reload=(Command(script(tmp_path / "reload", f"echo reloaded >> {log}")),))
    assert await it.bring(a=1)
    publication = publication_of(it.file_set, tmp_path / "state")
    generations = publication.generations
    it.swap(a=2)
    broken = tmp_path / "out" / f"..trimtab-{7:010d}-r2"
    broken.mkdir()
    (broken / "config.json").write_bytes(b'{"a":2}')
    (broken / "config.json").chmod(0o640)
    generations.point(CURRENT, broken)
    it.begin()
    assert await it.renderer.render()
    assert log.read_text().splitlines() == ["reloaded"] * 2
    assert (it.shown(), generations.current == generations.good) == ({"a": 2}, True)
    it.begin()
    assert await it.renderer.render()
    assert log.read_text().splitlines() == ["reloaded"] * 2, "a restart alone reloads nothing"


async def test_a_program_that_hangs_is_killed_with_all_that_it_started(
    site: Callable[..., Site], tmp_path: Path
) -> None:
    words = script(tmp_path / "hang", f"sleep 600 & echo $! > {tmp_path}/child; yes | head -c 1000000; wait")
    it = site(check=Command(words, timeout=1.0))
    assert not await it.bring(a=1)
    assert "took longer than 1 s" in it.state.detail
    assert len(it.state.detail) < 3_000
    child = int((tmp_path / "child").read_text())
    await until(
        lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]
    )


async def test_what_a_program_says_of_secrets_is_not_passed_on(site: Callable[..., Site], tmp_path: Path) -> None:
    words = script(tmp_path / "check", 'cat "$1"/config.json; exit 1')
    it = site(check=Command((*words, "{staged}")))
    it.store.swap(snapshot_of(1, {"a": "hush-hush"}, sensitive=("a",)))
    assert not await it.renderer.render()
    assert "output is withheld" in it.state.detail
    assert "hush" not in it.state.detail


async def test_signals_and_posts_reach_the_application(site: Callable[..., Site], tmp_path: Path) -> None:
    heard: list[Any] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response(status=204 if len(heard) == 1 else 500)

    app = web.Application()
    app.add_routes([web.post("/reload", hear)])
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    process = await anyio.open_process(
        script(
            tmp_path / "app",
            f"trap 'echo hup >> {tmp_path}/hups' USR1; touch {tmp_path}/up; while :; do sleep 0.01; done",
        )
    )
    (tmp_path / "pid").write_text(f"{process.pid}\n")
    await until((tmp_path / "up").exists)
    it = site(reload=(Signal(Signals.SIGUSR1, tmp_path / "pid"), Post(f"http://127.0.0.1:{port}/reload")))
    try:
        assert await it.bring(a=1)
        await until((tmp_path / "hups").exists)
        assert heard == [{"set": "web", "revision": 1, "files": ["config.json"], "keys": ["a"]}]
        assert not await it.bring(a=2)
        assert it.state.detail.startswith(f"http://127.0.0.1:{port}/reload answered 500; returned to")
        process.kill()
        await process.wait()
        it.file_set = replace(it.file_set, reload=it.file_set.reload[:1])
        it.begin()
        assert await it.bring(a=3)
        assert it.remarks.current[0].detail == f"SIGUSR1 found nobody by {tmp_path}/pid"
        (tmp_path / "pid").write_text("none\n")
        assert not await it.bring(a=4)
        assert "SIGUSR1 cannot be sent by" in it.state.detail
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.aclose()
        await runner.cleanup()


async def test_a_post_to_who_takes_no_body_has_none_and_no_type_of_one(site: Callable[..., Site]) -> None:
    heard: list[tuple[bytes, str | None, str | None]] = []

    async def hear(request: web.Request) -> web.Response:
        length = request.headers.get("Content-Length")
        heard.append((await request.read(), request.headers.get("Content-Type"), length))
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/actuator/refresh", hear)])
    port = free_port()
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        it = site(reload=(Post(f"http://127.0.0.1:{port}/actuator/refresh", body=False),))
        assert await it.bring(a=1)
        assert heard == [(b"", None, "0")]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("directory", [True, False])
@pytest.mark.parametrize("on_drift", OnDrift)
async def test_what_somebody_changed_is_put_right_or_told(
    site: Callable[..., Site], tmp_path: Path, on_drift: OnDrift, *, directory: bool
) -> None:
    it = site(directory=directory, on_drift=on_drift)
    path = tmp_path / "out" / "config.json"
    it.swap(a=1)
    async with running(it.renderer.run):
        await anyio.to_thread.run_sync(path.write_text, '{"a":"edited"}')
        if on_drift is OnDrift.REPAIR:
            await until(lambda: it.shown() == {"a": 1})
        else:
            await until(lambda: bool(it.remarks.current))
            [remark] = it.remarks.current
            assert (remark.kind, remark.refuses, it.shown()) == ("drift", False, {"a": "edited"})
        it.swap(a=2)
        await until(lambda: it.shown() == {"a": 2})
        await until(lambda: it.remarks.current == ())


async def test_a_burst_is_rendered_once_it_is_over_but_does_not_wait_for_ever(
    site: Callable[..., Site], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    it = site(quiet=0.3, max_wait=2.0, reload=(Command(script(tmp_path / "reload", f"echo >> {log}")),))
    it.swap(a=0)
    async with running(it.renderer.run):
        for number in range(1, 40):
            it.swap(a=number)
            await anyio.sleep(0.01)
        await until(lambda: it.shown() == {"a": 39})
        assert len(log.read_text().splitlines()) <= 4
        async with anyio.create_task_group() as group:
            group.start_soon(_never_quiet, it)
            await until(lambda: it.shown()["a"] > 1_000)
            group.cancel_scope.cancel()


async def _never_quiet(it: Site) -> None:
    number = 1_000
    while True:
        number += 1
        it.swap(a=number)
        await anyio.sleep(0.05)


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(site: Callable[..., Site], tmp_path: Path) -> None:
    it = site(dry_run=True, check=Command(("false",)), reload=(Command(("false",)),))
    assert await it.bring(a=1)
    assert (it.state.phase, it.state.detail.splitlines()[0]) == (
        Phase.DRY,
        "would write config.json, then check false, run false",
    )
    assert not (tmp_path / "out").exists()


_FULL = """
import resource, sys, anyio
from pathlib import Path
from agent.files.renderer import Renderer
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.runtime.clock import SystemClock
from tests.fakes.snapshots import snapshot_of
from tests.rig.file_sets import Site, script, site_of, until
from tests.rig.publishing import pair
async def main(out, state):
    store = SnapshotStore(Snapshot.empty("billing", "prod"))
    renderer = Renderer(store, [pair(out)], SystemClock(), state)
    store.swap(snapshot_of(1, {"a": 1}))
    assert await renderer.render()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
    store.swap(snapshot_of(2, {"a": "x" * 2_000}))
    assert not await renderer.render()
    print(renderer.sets[0].phase, renderer.sets[0].detail, sorted(p.name for p in out.iterdir()))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert await renderer.render()
    print((out / "a.json").read_text().split()[1:3])
anyio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))
"""


async def test_when_nothing_more_can_be_written_the_old_stands_and_it_is_tried_again(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _FULL, str(tmp_path / "out"), str(tmp_path / "state")]
    done = await anyio.run_process(words, check=False)
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 2, done.stderr.decode()
    assert "failed File too large" in lines[0]
    assert "['..data', '..good', '..trimtab-0000000001-r1', 'a.json', 'sub']" in lines[0]
    assert lines[1].startswith("['\"a\":', '\"xxx")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_link_that_leads_elsewhere_is_no_generation(tmp_path: Path) -> None:
    generations = Generations(tmp_path, 1)
    (tmp_path / CURRENT).symlink_to("/etc")
    assert generations.current is None
    (tmp_path / CURRENT).unlink()
    (tmp_path / CURRENT).symlink_to("../elsewhere")
    assert generations.current is None

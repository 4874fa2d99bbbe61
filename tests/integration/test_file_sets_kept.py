"""What was published is looked after: drift, templates, restarts, other settings, and programs that do not behave."""

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent.files.file_set import FileSet, OnDrift
from agent.files.generations import CURRENT
from agent.files.hooks import Command, HealthGate
from agent.files.renderer import Renderer
from agent.files.state import Phase
from agent.files.target import File, Format, Owner
from agent.probing.target import CommandTarget
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import running
from tests.fakes.snapshots import snapshot_of
from tests.rig.file_sets import script, site_of, until

NEVER = 3_600.0
"""Seconds between two looks of an agent that is to be told by the kernel."""


def edited(path: Path, text: str) -> None:
    """As many editors and `sed -i` do it: a new file takes the name."""
    draft = path.with_name("draft")
    draft.write_text(text)
    draft.replace(path)


@pytest.mark.parametrize("directory", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        lambda path: edited(path, '{"a":"edited"}'),
        lambda path: path.unlink(),
        lambda path: path.chmod(0o777),
        lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
    ],
    ids=["replaced", "removed", "opened", "moved away"],
)
async def test_what_somebody_does_to_a_file_is_heard_and_put_right(
    tmp_path: Path, change: Any, *, directory: bool
) -> None:
    log, path = tmp_path / "log", tmp_path / "out" / "config.json"
    reload = Command(script(tmp_path / "reload", f"echo >> {log}"))
    it = site_of(tmp_path, directory=directory, look_every=NEVER, reload=(reload,))
    it.swap(a=1)
    async with running(it.renderer.run):
        await it.until_watched()
        before = it.shown()
        await anyio.to_thread.run_sync(change, path)
        await until(lambda: len(log.read_text().splitlines()) == 2)
        assert (it.shown(), path.stat().st_mode & 0o777, it.state.drifted) == (before, 0o640, 1)
        assert path.is_symlink() is directory


async def test_an_edit_while_no_agent_ran_is_told_apart_from_a_change_of_the_configs(tmp_path: Path) -> None:
    it = site_of(tmp_path, on_drift=OnDrift.REPORT)
    assert await it.bring(a=1)
    path = tmp_path / "out" / "config.json"
    path.write_text('{"a":"edited"}')
    it.begin()
    assert await it.renderer.render()
    assert it.remarks.current[0].detail == "somebody else changed config.json"
    assert it.shown() == {"a": "edited"}
    it.begin()
    assert await it.bring(a=2)
    assert (it.shown(), it.remarks.current) == ({"a": 2}, ())


async def test_who_changes_a_file_again_and_again_is_not_followed_at_any_pace(tmp_path: Path) -> None:
    it = site_of(tmp_path, look_every=0.01)
    path = tmp_path / "out" / "config.json"
    it.swap(a=1)
    async with running(it.renderer.run):
        for number in range(100):
            await anyio.to_thread.run_sync(edited, path, f"{number}")
            await anyio.sleep(0.03)
        assert 1 <= it.state.drifted <= 8
        it.swap(a=2)
        await until(lambda: path.is_symlink() and it.shown() == {"a": 2})


async def test_a_template_is_followed_and_a_broken_one_remarked_until_it_is_mended(tmp_path: Path) -> None:
    """It is mounted as Kubernetes mounts a ConfigMap: what its directory shows is swapped."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    def mount(name: str, text: str) -> None:
        (mounted / name).mkdir()
        (mounted / name / "t.j2").write_text(text)
        (mounted / "tmp").symlink_to(name)
        (mounted / "tmp").replace(mounted / CURRENT)

    mount("..1", "a is {{ value('a') }}")
    (mounted / "t.j2").symlink_to(f"{CURRENT}/t.j2")
    out = tmp_path / "out"
    file = File(Path("t.txt"), Format.TEMPLATE, template=mounted / "t.j2")
    it = site_of(tmp_path, look_every=NEVER)
    it.file_set = FileSet(name="web", directory=out, files=(file,))
    it.begin()
    it.swap(a=1)
    async with running(it.renderer.run):
        assert (out / "t.txt").read_text() == "a is 1"
        await it.until_watched()
        await anyio.to_thread.run_sync(mount, "..2", "A = {{ value('a') }}")
        await until(lambda: (out / "t.txt").read_text() == "A = 1")
        await anyio.to_thread.run_sync(mount, "..3", "{{ value('a'")
        await until(lambda: [each.kind for each in it.remarks.current] == ["template"])
        assert "what it was before is used" in it.remarks.current[0].detail
        it.swap(a=2)
        await until(lambda: (out / "t.txt").read_text() == "A = 2")
        await anyio.to_thread.run_sync(mount, "..4", "A: {{ value('a') }}")
        await until(lambda: (out / "t.txt").read_text() == "A: 2")
        await until(lambda: it.remarks.current == ())


async def test_a_check_that_hangs_holds_up_neither_the_start_nor_another_set(tmp_path: Path) -> None:
    store = SnapshotStore(Snapshot.empty("billing", "prod"))
    store.swap(snapshot_of(1, {"a": 1}))
    hung, good = tmp_path / "hung.json", tmp_path / "good.json"
    sets = [
        FileSet(name="hung", files=(File(hung, Format.JSON),), check=Command(("sleep", "600"), timeout=600)),
        FileSet.alone(File(good, Format.JSON)),
    ]
    renderer = Renderer(store, sets, SystemClock(), tmp_path / "state")
    with anyio.fail_after(20):
        async with running(renderer.run):
            assert good.exists()
            store.swap(snapshot_of(2, {"a": 2}))
            await until(lambda: '"a": 2' in good.read_text())
            assert not hung.exists()


async def test_other_settings_of_a_set_wait_for_what_was_begun_by_the_ones_before(tmp_path: Path) -> None:
    """The check that runs is killed, with all that it started, before the next one begins."""
    child = tmp_path / "child"
    slow = script(tmp_path / "slow", f"sleep 600 & echo $! > {child}.draft; mv {child}.draft {child}; wait")
    it = site_of(tmp_path, check=Command(slow, timeout=600))
    async with running(it.renderer.run):
        it.swap(a=1)
        await until(child.exists)
        runs = f"grep -q 'State:.[RSD]' /proc/$(cat {child})/status"
        dead = script(tmp_path / "dead", f"for n in 1 2 3 4 5; do {runs} || exit 0; sleep 0.1; done; exit 1")
        it.renderer.take([replace(it.file_set, check=Command(dead))])
        await until(lambda: it.state.phase is not Phase.WAITING)
        assert (it.state.phase, it.shown()) == (Phase.PUBLISHED, {"a": 1})


async def test_a_file_that_was_there_before_us_is_what_a_first_failure_returns_to(tmp_path: Path) -> None:
    path = tmp_path / "out" / "config.json"
    path.parent.mkdir()
    path.write_text('{"a":"by hand"}')
    path.chmod(0o604)
    log = tmp_path / "log"
    words = script(tmp_path / "reload", f"cat {path} | tr -d ' \\n' >> {log}; echo >> {log}; grep -q hand {path}")
    it = site_of(tmp_path, directory=False, reload=(Command(words),))
    assert not await it.bring(a=1)
    assert (it.state.phase, it.shown(), path.stat().st_mode & 0o777) == (Phase.RETURNED, {"a": "by hand"}, 0o604)
    assert log.read_text().splitlines() == ['{"a":1}', '{"a":"byhand"}']
    it.begin()
    assert not await it.bring(a=1)
    assert it.shown() == {"a": "by hand"}, "also after a restart"


async def test_reloads_are_as_far_apart_as_is_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = script(tmp_path / "reload", f"date +%s%N >> {log}")
    it = site_of(tmp_path, min_interval=0.4, reload=(Command(words),))
    it.swap(a=0)
    async with running(it.renderer.run):
        for number in range(1, 30):
            it.swap(a=number)
            await anyio.sleep(0.02)
        await until(lambda: it.shown() == {"a": 29})
    moments = [int(each) for each in log.read_text().splitlines()]
    assert min(after - before for before, after in pairwise(moments)) > 300_000_000


@pytest.mark.parametrize("umask", [0, 0o777])
@pytest.mark.parametrize("directory", [True, False])
async def test_mode_and_owner_are_as_said_whatever_the_umask(tmp_path: Path, umask: int, *, directory: bool) -> None:
    user, group = (65_534, 65_533) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    out = tmp_path / "out"
    out.mkdir()
    name = Path("sub/x.json") if directory else out / "x.json"
    it = site_of(tmp_path, directory=directory)
    file = File(name, Format.JSON, mode=0o604, owner=Owner(str(user), str(group)))
    it.file_set = replace(it.file_set, files=(file,))
    it.begin()
    before = os.umask(umask)
    try:
        assert await it.bring(a=1)
    finally:
        os.umask(before)
    found = (out / name).stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o604, user, group)
    if directory:
        assert (out / "sub").stat().st_mode & 0o777 == 0o755


async def test_a_directory_that_gives_its_group_to_new_files_has_its_way(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    group = 65_533 if os.geteuid() == 0 else os.getegid()
    os.chown(out, -1, group)
    out.chmod(0o2755)
    it = site_of(tmp_path, directory=False)
    assert await it.bring(a=1)
    assert (out / "config.json").stat().st_gid == group


async def test_what_a_killed_process_left_beside_a_file_is_gone_with_the_next_one(tmp_path: Path) -> None:
    it = site_of(tmp_path, directory=False)
    assert await it.bring(a=1)
    (tmp_path / "out" / ".config.json.trimtab").write_text("half")
    assert await it.bring(a=2)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["config.json"]


async def test_a_check_leaves_nothing_running_and_may_say_as_much_as_it_likes(tmp_path: Path) -> None:
    child = tmp_path / "child"
    words = script(
        tmp_path / "check", f"sleep 600 & echo $! > {child}; head -c 3000000 /dev/zero | tr '\\0' x; echo end"
    )
    it = site_of(tmp_path, check=Command(words))
    assert await it.bring(a=1)
    await until(lambda: gone(int(child.read_text())))
    assert await it.bring(a=2)


def gone(pid: int) -> bool:
    """Ended, if not yet seen to by its parent."""
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


async def test_a_dry_run_shows_the_difference_but_no_secrets(tmp_path: Path) -> None:
    it = site_of(tmp_path)
    assert await it.bring(a=1, b=2)
    it.file_set = replace(it.file_set, dry_run=True, reload=(Command(("systemctl", "reload", "x")),))
    it.begin()
    assert await it.bring(a=1, b=3)
    lines = it.state.detail.splitlines()
    assert lines[0] == "would write config.json, then run systemctl reload x"
    assert [line for line in lines[3:] if line[0] in "+-"] == ['-  "b": 2', '+  "b": 3']
    it.store.swap(snapshot_of(9, {"a": "hush"}, sensitive=("a",)))
    assert await it.renderer.render()
    assert "holds sensitive values, which are not shown" in it.state.detail
    assert "hush" not in it.state.detail
    assert it.shown() == {"a": 1, "b": 2}


async def test_a_check_is_asked_again_ever_later_but_what_was_not_borne_is_left_alone(tmp_path: Path) -> None:
    log, good = tmp_path / "log", tmp_path / "good"
    words = script(tmp_path / "program", f"echo >> {log}; test -e {good}")
    it = site_of(tmp_path, check=Command(words))
    it.retry_every = 0.05
    it.begin()
    it.swap(a=1)
    async with running(it.renderer.run):
        await until(lambda: len(log.read_text().splitlines()) == 4)
        good.touch()
        await until(lambda: it.state.phase is Phase.PUBLISHED)
    it.file_set = replace(it.file_set, check=None, reload=(Command(words),))
    good.unlink()
    it.begin()
    async with running(it.renderer.run):
        it.swap(a=2)
        await until(lambda: it.state.phase is Phase.RETURNED)
        lines = log.read_text().splitlines()
        await anyio.sleep(0.5)
        assert log.read_text().splitlines() == lines


async def test_an_application_that_was_not_well_before_either_keeps_what_is_new(tmp_path: Path) -> None:
    well = tmp_path / "well"
    gate = HealthGate(CommandTarget(("test", "-e", str(well))), within=0.1, interval=0.05)
    it = site_of(tmp_path, health=gate)
    it.retry_every = 0.05
    it.begin()
    well.touch()
    assert await it.bring(a=1)
    well.unlink()
    assert not await it.bring(a=2)
    assert (it.state.phase, it.shown()) == (Phase.UNHEALTHY, {"a": 2})
    async with running(it.renderer.run):
        well.touch()
        await until(lambda: it.state.phase is Phase.PUBLISHED)

"""The kernel tells of what is touched; directories that come and go are followed, and without it nothing breaks."""

import subprocess
import sys
from pathlib import Path

import anyio

from agent.files.watching import Watching
from shared.runtime.lifecycle import running
from tests.rig.file_sets import until


async def test_a_directory_that_is_made_again_is_watched_again(tmp_path: Path) -> None:
    place, touched = tmp_path / "place", [0]

    def count() -> None:
        touched[0] += 1

    watching = Watching(lambda: [place, tmp_path / "never"], count, 0.05)
    async with running(watching.run):
        for _ in range(2):
            await anyio.to_thread.run_sync(place.mkdir)
            before = touched[0]
            await until(lambda: watching.watched == {str(place)})
            await until(lambda before=before: touched[0] > before)  # type: ignore[misc]
            before = touched[0]
            await anyio.to_thread.run_sync((place / "file").write_text, "x")
            await until(lambda before=before: touched[0] > before)  # type: ignore[misc]
            await anyio.to_thread.run_sync((place / "file").unlink)
            await anyio.to_thread.run_sync(place.rmdir)
            await until(lambda: not watching.watched)


_EXHAUSTED = """
import os, resource, sys
from pathlib import Path
import anyio
import watchfiles
from agent.files.watching import Watching
async def main():
    watching = Watching(lambda: [Path(sys.argv[1])], lambda: None, 0.05)
    await anyio.to_thread.run_sync(lambda: None)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used - 1, used + 100))
    async with anyio.create_task_group() as group:
        group.start_soon(watching.run)
        await anyio.sleep(0.3)
        assert not watching.watched
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 100, used + 100))
        with anyio.fail_after(20):
            while not watching.watched:
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
anyio.run(main)
"""


async def test_where_nothing_can_be_watched_it_is_said_once_and_tried_on(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _EXHAUSTED, str(tmp_path)]
    with anyio.fail_after(60):
        done = await anyio.run_process(words, check=False, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    assert done.stdout.decode().splitlines() == ["the kernel does not watch for us: we look now and then"]

"""The replica that commits scheduled changes is killed midway: another goes on, in time, and none is committed twice."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from shared.runtime.clock import SystemClock
from tests.rig.installation import APP, ENVIRONMENT, Installation, Servers, installation
from tests.rig.process import Process

_CHANGES = 40
_EVERY = 0.1


@pytest.mark.timeout(120)
async def test_scheduled_changes_outlive_the_leader_and_are_committed_once(migrated_url: str, tmp_path: Path) -> None:
    async with installation(tmp_path, Servers(migrated_url)) as site:
        leader = await site.control_plane("one")
        await site.register(leader)
        other = await site.control_plane("two")
        start = SystemClock().now() + timedelta(seconds=3)
        changes = [await _schedule(site, other, number, start) for number in range(_CHANGES)]
        await _until_committed(site, other, 10)
        leader.kill()
        await _until_committed(site, other, _CHANGES)
        done = [await site.get(other, f"/changes/{each}") for each in changes]
    assert sorted(each["revision"] for each in done) == list(range(1, _CHANGES + 1))
    assert {each["operations"][0]["version"] for each in done} == {1}
    # Two seconds for another to take over, and one that a busy machine may add.
    assert all(0 <= _late(each) < 3 for each in done)


async def _schedule(site: Installation, via: Process, number: int, start: datetime) -> str:
    operation = {"op": "put", "app_id": APP, "environment": ENVIRONMENT, "key": f"k{number}", "value": number}
    at = start + timedelta(seconds=number * _EVERY)
    made = await site.post(via, "/changes", {"operations": [operation], "scheduled_at": at.isoformat()})
    return str(made["id"])


async def _until_committed(site: Installation, via: Process, count: int) -> None:
    with anyio.fail_after(30):
        while len((await site.get(via, "/changes?limit=100"))["items"]) < count:
            await anyio.sleep(0.02)


def _late(change: Any) -> float:
    at = datetime.fromisoformat(change["life"]["scheduled_at"])
    return (datetime.fromisoformat(change["committed_at"]) - at).total_seconds()

"""A control plane that starts has compiled the snapshots before its first request."""

from pathlib import Path

from tests.rig.installation import APP, ENVIRONMENT, Installation, Servers, installation
from tests.rig.process import Process


async def counted(site: Installation, control_plane: Process, what: str) -> float:
    """A counter of the snapshots' first layer, this replica's memory."""
    async with site.session.get(f"{control_plane.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    name = f'trimtab_snapshot_cache_{what}_total{{layer="replica"}}'
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


async def fetched(site: Installation, control_plane: Process) -> int:
    headers = {"Authorization": f"Bearer {site.agent_token}"}
    url = f"{control_plane.url}/api/v1/snapshots/{APP}/{ENVIRONMENT}"
    async with site.session.get(url, headers=headers) as answer:
        return int((await answer.json())["revision"])


async def test_the_first_request_after_a_start_finds_its_snapshot_compiled(migrated_url: str, tmp_path: Path) -> None:
    async with installation(tmp_path, Servers(migrated_url)) as site:
        first = await site.control_plane()
        await site.register(first)
        await site.put(first, "greeting", "hello")
        first.stop()
        second = await site.control_plane("two")
        assert (await counted(site, second, "misses"), await counted(site, second, "hits")) == (1, 0)
        assert await fetched(site, second) == 1
        assert (await counted(site, second, "misses"), await counted(site, second, "hits")) == (1, 1)


async def test_warming_can_be_left_out(migrated_url: str, tmp_path: Path) -> None:
    async with installation(tmp_path, Servers(migrated_url)) as site:
        first = await site.control_plane(TRIMTAB_WARM_LIMIT="0")
        await site.register(first)
        assert await counted(site, first, "misses") == 0
        assert await fetched(site, first) == 0
        assert await counted(site, first, "misses") == 1

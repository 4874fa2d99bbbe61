"""The command line against the real API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.rig.api import serving_api
from tests.rig.cli import Cli


@pytest.fixture
async def trimtab(migrated_url: str) -> AsyncIterator[Cli]:
    async with serving_api(migrated_url) as api:
        await api.register()
        yield Cli(api)


async def test_a_key_is_made_listed_and_revoked_by_its_name(trimtab: Cli, tmp_path: Path) -> None:
    token = (await trimtab("api-keys", "create", "alice", "--role", "publisher")).output.strip()
    await trimtab("put", "a", "1", "--app", "shop", "-m", "hers", token=token)
    assert "alice" in (await trimtab("changes", token=token)).output
    refused = await trimtab("api-keys", "create", "bob", "--role", "viewer", token=token, code=1)
    assert "api-keys.write" in refused.errors

    await trimtab("api-keys", "create", "bob", "--role", "viewer", "--write", str(tmp_path / "bob"))
    assert (tmp_path / "bob").read_text().startswith("trimtab_viewer_")
    assert (tmp_path / "bob").stat().st_mode & 0o777 == 0o600
    listed = (await trimtab("api-keys", "list")).lines
    assert [line.split("\t")[:2] for line in listed] == [["alice", "publisher"], ["bob", "viewer"]]

    await trimtab("api-keys", "revoke", "alice")
    assert "TRIMTAB_TOKEN" in (await trimtab("list", token=token, code=1)).errors
    assert "no API key" in (await trimtab("api-keys", "revoke", "alice", code=1)).errors

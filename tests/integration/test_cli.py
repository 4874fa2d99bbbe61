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


async def test_a_change_of_several_operations_is_made_of_options_and_a_file(trimtab: Cli, tmp_path: Path) -> None:
    file = tmp_path / "change.json"
    file.write_text('{"message": "from a file", "operations": [{"op": "put", "key": "c", "value": null}]}')
    given = ("--put", "a=1", "--put", "b=two", "--mask", "x", "--label", "ticket=OPS-7", "--file", str(file))
    made = await trimtab("change", "create", "--app", "shop", "--env", "prod", *given)
    assert made.output == "revision 1\n"
    told = (await trimtab("change", "show", "1", "--json")).document
    assert told["message"] == "from a file"
    assert told["labels"] == {"ticket": "OPS-7"}
    assert {(each["op"], each["app_id"], each["key"]) for each in told["operations"]} == {
        ("put", None, "c"),
        ("put", "shop", "a"),
        ("put", "shop", "b"),
        ("mask", "shop", "x"),
    }
    assert "a\tv1" in (await trimtab("change", "show", "1")).output
    assert "from a file" in (await trimtab("change", "list")).output
    assert (await trimtab("get", "b", "--app", "shop", "--env", "prod")).output == "two\n"


async def test_what_makes_no_sense_is_refused_before_asking(trimtab: Cli) -> None:
    for arguments in (
        [],
        ["--put", "novalue"],
        ["--put", "a=1", "--env", "prod"],
        ["--put", "a=1", "--label", "ticket"],
        ["--put", "a=1", "--draft", "--submit"],
        ["--put", "a=1", "--break-glass", "now", "--at", "+1h"],
        ["--put", "a=1", "--at", "soon"],
        ["--put", "a=1", "--at", "+999999999d"],
        ["--file", "/does/not/exist"],
        ["--file", "pyproject.toml"],
    ):
        await trimtab("change", "create", *arguments, code=2)
    assert (await trimtab("changes")).output == ""

"""`trimtab audit` against the real API: list, export, verify online and offline, archive."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from control_plane.domain.attribution import Attribution
from shared.domain.codec import decode
from tests.audit_chain import rewritten, tamper
from tests.rig.api import serving_api
from tests.rig.cli import Cli

PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
RECIPE = PAGE.split("```python\n")[1].split("```")[0]
BY_HAND = next(each for each in PAGE.split("```") if "sha256sum" in each).removeprefix("sh\n")


@pytest.fixture
async def trimtab(migrated_url: str) -> AsyncIterator[Cli]:
    async with serving_api(migrated_url) as api:
        await api.register()
        for number in range(10):
            await api.services.audit.record(Attribution("alice"), "thing.seen", f"thing:{number}", {"text": "ä\n"})
        yield Cli(api)


async def test_records_are_listed_as_asked_for(trimtab: Cli) -> None:
    lines = (await trimtab("audit", "list", "--actor", "alice", "--limit", "3")).lines
    assert [line.split("\t")[4] for line in lines] == ["thing:9", "thing:8", "thing:7"]
    (made,) = (await trimtab("audit", "list", "--action", "app.created", "--since", "-1h", "--json")).document
    assert made["source"] == "api"


async def test_the_chain_is_verified_online(trimtab: Cli, migrated_url: str) -> None:
    assert "records are whole, from 1 to 14" in (await trimtab("audit", "verify")).output
    await tamper(migrated_url, "update audit_logs set actor = 'eve' where seq = 7")
    told = await trimtab("audit", "verify", code=1)
    assert told.output.startswith("record 7: The record does not hash")
    assert (await trimtab("audit", "verify", "--json", code=1)).document["broken"]["flaw"] == "altered"


async def test_an_export_is_verified_with_nothing_but_the_file(trimtab: Cli, tmp_path: Path) -> None:
    file, forged = tmp_path / "export.ndjson", tmp_path / "forged.ndjson"
    await trimtab("audit", "export", "--to", str(file))
    id_ = (await trimtab("audit", "verify", "--json")).document["installation"]
    lines = file.read_bytes().splitlines()
    end = decode(lines[-1])["hash"]
    whole = await trimtab("audit", "verify", "--file", str(file), "--installation", id_, "--end", end)
    assert "14 records are whole, from 1 to 14" in whole.output
    unanchored = await trimtab("audit", "verify", "--file", str(file))
    assert "not checked" in unanchored.errors

    altered = [*lines[:4], lines[4].replace(b"alice", b"clive"), *lines[5:]]
    for tampered, options, seq in (
        (altered, (), 5),
        ([*lines[:4], *lines[5:]], (), 5),
        ([*lines[:4], lines[5], lines[4], *lines[6:]], (), 5),
        ([*lines[:4], lines[3], *lines[4:]], (), 4),
        (lines[:-1], ("--end", end), 13),
        (rewritten(altered, 4), ("--end", end), 14),
        (lines, ("--installation", "another"), 1),
        (lines[2:], ("--anchor", "0" * 64), 3),
        ([b"nonsense"], (), 1),
    ):
        forged.write_bytes(b"\n".join(tampered) + b"\n")
        told = await trimtab("audit", "verify", "--file", str(forged), *options, code=1)
        assert f": record {seq}: " in told.output, told.output
    for refused in (("--anchor", "x"), ("--end", end), ("--anchor", end, "--installation", id_)):
        file_option = () if refused == ("--end", end) else ("--file", str(file))
        await trimtab("audit", "verify", *file_option, *refused, code=2)
    assert "cannot be read" in (await trimtab("audit", "verify", "--file", str(tmp_path / "none"), code=2)).errors


async def test_what_our_documentation_shows_verifies_an_export_too(trimtab: Cli, tmp_path: Path) -> None:
    file = tmp_path / "audit.ndjson"
    await trimtab("audit", "export", "--to", str(file))
    python = [sys.executable, "-c", RECIPE, str(file)]
    assert (await anyio.run_process(python, check=False)).returncode == 0
    hashed = await anyio.run_process(["sh", "-c", BY_HAND], cwd=tmp_path)
    assert hashed.stdout.split()[0].decode() == decode(file.read_bytes().splitlines()[6])["hash"]
    file.write_bytes(file.read_bytes().replace(b"thing:4", b"thing:5"))
    ended = await anyio.run_process(python, check=False)
    assert b"record 9 was altered" in ended.stderr


async def test_archiving_exports_verifies_and_takes_away(trimtab: Cli, tmp_path: Path, migrated_url: str) -> None:
    first, second = tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    assert "6 records up to 6" in (await trimtab("audit", "archive", "--to", str(first), "--through", "6")).output
    assert (
        "archived already" in (await trimtab("audit", "archive", "--to", str(second), "--through", "3", code=2)).errors
    )
    assert "from 7 to " in (await trimtab("audit", "verify")).output
    await trimtab("audit", "archive", "--to", str(second), "--through", "12")
    anchor = decode(first.read_bytes().splitlines()[-1])["hash"]
    told = await trimtab("audit", "verify", "--file", str(second), "--anchor", anchor)
    assert "6 records are whole, from 7 to 12" in told.output
    assert (
        "never written over"
        in (await trimtab("audit", "archive", "--to", str(second), "--through", "13", code=2)).errors
    )

    await tamper(migrated_url, "update audit_logs set actor = 'eve' where seq = 14")
    third = tmp_path / "third.ndjson"
    told = await trimtab("audit", "archive", "--to", str(third), "--through", "15", code=1)
    assert "nothing was archived" in told.errors
    assert (await trimtab("audit", "list", "--json", "--limit", "1")).document[0]["seq"] >= 15


async def test_an_export_that_cannot_be_written_leaves_nothing(trimtab: Cli, tmp_path: Path) -> None:
    await trimtab("audit", "export", "--to", str(tmp_path / "x.ndjson"), "--after", "99", "--format", "xml", code=1)
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - one look
    await trimtab("audit", "export", "--to", str(tmp_path / "x.csv"), "--format", "csv")
    assert (tmp_path / "x.csv").read_text().startswith("seq,at,actor,")
    assert len((await trimtab("audit", "export", "--through", "3")).lines) == 3

"""`trimtab users`: accounts with passwords that no command line has."""

import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import pytest

from tests.rig.api import Api, serving_api
from tests.rig.cli import Cli
from tests.rig.dev import environ
from tests.rig.logins import PASSWORD, Browser

NEW = "seventeen quiet lighthouses"


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as served:
        yield served


async def test_an_account_from_its_making_to_its_end(api: Api, tmp_path: Path) -> None:
    trimtab, browser = Cli(api), Browser(api)
    assert "There is no account" in (await trimtab("users", "list")).errors
    made = await trimtab(
        "users", "create", "anna", "--display-name", "Anna", "--password-file", "-", stdin=f"{PASSWORD}\n"
    )
    assert made.output == "anna can log in\n"
    assert (await browser.login()).status == 200
    listed = (await trimtab("users", "list", "--json")).document
    assert [(each["name"], each["display_name"], each["disabled"]) for each in listed] == [("anna", "Anna", False)]
    (tmp_path / "password").write_text(f"{NEW}\n")
    await trimtab("users", "reset-password", "anna", "--password-file", str(tmp_path / "password"))
    assert (await browser.get("/auth/session")).status == 401
    assert (await browser.login(password=NEW)).status == 200
    await trimtab("users", "disable", "anna")
    assert (await browser.get("/auth/session")).status == 401
    assert "\tdisabled\t" in (await trimtab("users", "list")).output
    await trimtab("users", "enable", "anna")
    assert (await browser.login(password=NEW)).status == 200


async def test_what_is_wrong_is_told_and_the_password_is_not(api: Api) -> None:
    trimtab = Cli(api)
    refused = await trimtab("users", "create", "anna", "--password-file", "-", stdin="geheim", code=1)
    assert "/password" in refused.errors
    assert "geheim" not in refused.errors + refused.output
    assert "no-one" in (await trimtab("users", "disable", "no-one", code=1)).errors
    assert "no terminal" in (await trimtab("users", "create", "anna", code=2)).errors
    viewer = await api.key("vera", "viewer")
    told = await trimtab("users", "create", "anna", "--password-file", "-", stdin=PASSWORD, token=viewer, code=1)
    assert "users.write" in told.errors


async def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(api: Api) -> None:
    def typed(*lines: str) -> tuple[int, str]:
        terminal, other = pty.openpty()
        settings = environ() | {"TRIMTAB_URL": api.url, "TRIMTAB_TOKEN": api.operator}
        command = [sys.executable, "-m", "control_plane", "users", "create", "anna"]
        with subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=other, stdout=other, stderr=other, env=settings, start_new_session=True
        ) as process:
            os.close(other)
            said = ""
            for prompt, line in zip(("Password: ", "Once more: "), lines, strict=True):
                while prompt not in said:
                    said += os.read(terminal, 1_000).decode()
                os.write(terminal, f"{line}\n".encode())
            try:
                while more := os.read(terminal, 1_000):
                    said += more.decode()
            except OSError:  # it has ended
                os.close(terminal)
            return process.wait(), said

    code, said = await anyio.to_thread.run_sync(typed, PASSWORD, NEW)
    assert (code, "another one" in said) == (2, True)
    code, said = await anyio.to_thread.run_sync(typed, PASSWORD, PASSWORD)
    assert (code, "anna can log in" in said) == (0, True)
    assert PASSWORD not in said
    assert (await Browser(api).login()).status == 200

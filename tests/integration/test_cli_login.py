"""People at the command line: logging in with a password or by a browser, and out again."""

import webbrowser
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import pytest
from typer.testing import CliRunner

from control_plane.cli.main import app
from shared.domain.codec import decode
from tests.fakes.identity_provider import CLIENT_ID, CLIENT_SECRET, fake_provider
from tests.rig.api import Api, serving_api
from tests.rig.cli import Said
from tests.rig.logins import PASSWORD, Browser, make_user

BACK = "https://trimtab.example/api/v1/auth/oidc/callback"


class Terminal:
    """Somebody's shell, in which no token is set."""

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.home = url, home
        self.kept = home / "trimtab" / "sessions.json"

    async def __call__(self, *arguments: str, code: int = 0, **environ: str) -> Said:
        """Run a command that should end with this code."""
        said = {"TRIMTAB_URL": self.url, "TRIMTAB_TOKEN": "", "XDG_CONFIG_HOME": str(self.home)} | environ
        ended = await anyio.to_thread.run_sync(partial(CliRunner().invoke, app, list(arguments), env=said))
        assert ended.exit_code == code, (ended.stdout, ended.stderr, ended.exception)
        return Said(ended.exit_code, ended.stdout, ended.stderr)


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await make_user(api)
        await api.post("/role-bindings", {"subject": "user:anna", "role": "viewer", "reach": "global"})
        yield api


@pytest.fixture
def terminal(api: Api, tmp_path: Path) -> Terminal:
    return Terminal(api.url, tmp_path)


@pytest.fixture
def password(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    return str(file)


async def test_a_session_is_used_where_no_token_is_given_until_one_logs_out(
    terminal: Terminal, password: str, api: Api
) -> None:
    assert "trimtab login" in (await terminal("whoami", code=1)).errors
    said = await terminal("login", "--user", "anna", "--password-file", password)
    assert said.output.startswith("logged in as user:anna until ")
    assert terminal.kept.stat().st_mode & 0o777 == 0o600
    token = decode(terminal.kept.read_bytes())[api.url]
    assert token.startswith("trimtab_session_")
    assert token not in said.output + said.errors
    assert (await terminal("whoami")).lines == ["user:anna", "viewer\tglobal\tbinding:user:anna"]
    assert (await terminal("whoami", TRIMTAB_TOKEN=api.operator)).lines[0] != "user:anna", "a token goes first"
    assert "api-keys" in (await terminal("api-keys", "create", "x", "--role", "viewer", code=1)).errors
    assert (await terminal("logout")).output == "logged out\n"
    assert decode(terminal.kept.read_bytes()) == {}
    assert (await api.get("/auth/session", token=token)).status == 401
    assert "there is no session" in (await terminal("logout", code=1)).errors


async def test_logging_out_everywhere_ends_the_browsers_session_too(
    terminal: Terminal, password: str, api: Api
) -> None:
    browser = Browser(api)
    await browser.login()
    await terminal("login", "--user", "anna", "--password-file", password)
    assert (await terminal("logout", "--everywhere")).output == "logged out everywhere\n"
    assert (await browser.get("/auth/session")).status == 401


async def test_a_session_that_is_over_is_forgotten_and_said_to_be(terminal: Terminal, password: str, api: Api) -> None:
    await terminal("login", "--user", "anna", "--password-file", password)
    await api.post("/users/anna/disable", None)
    assert "trimtab login" in (await terminal("list", code=1)).errors
    assert "over already" in (await terminal("logout")).errors
    assert decode(terminal.kept.read_bytes()) == {}


async def test_a_refused_login_keeps_nothing(terminal: Terminal, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("something else\n")
    said = await terminal("login", "--user", "anna", "--password-file", str(wrong), code=1)
    assert "something else" not in said.output + said.errors
    assert not terminal.kept.exists()
    assert "password-file" in (await terminal("login", "--user", "anna", code=2)).errors


async def test_no_password_goes_over_a_network_in_clear(terminal: Terminal, password: str) -> None:
    for url in ("http://trimtab.example", "http://10.0.0.1:8080", "http://127.0.0.1.example"):
        said = await terminal("login", "--user", "anna", "--password-file", password, "--url", url, code=2)
        assert "https://" in said.errors


async def test_sessions_that_others_could_read_or_write_are_not_used(terminal: Terminal, password: str) -> None:
    await terminal("login", "--user", "anna", "--password-file", password)
    terminal.kept.chmod(0o644)
    assert "others can read" in (await terminal("whoami", code=1)).errors
    terminal.kept.chmod(0o600)
    terminal.kept.write_text("{")
    assert "cannot be read" in (await terminal("whoami", code=1)).errors


async def test_a_browser_brings_the_session_of_whoever_the_provider_knows(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, addresses = Event(), list[str]()

    def browse(address: str) -> bool:
        addresses.append(address)
        opened.set()
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    async with fake_provider() as provider:
        known: dict[str, Any] = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID}
        known |= {"oidc_client_secret": CLIENT_SECRET, "oidc_redirect_url": BACK}
        async with serving_api(migrated_url, **known) as api:
            terminal = Terminal(api.url, tmp_path)

            async def follow() -> None:
                await anyio.to_thread.run_sync(partial(opened.wait, 30.0))
                parts = urlsplit(addresses[0])
                await _browse(api, parts.path.removeprefix("/api/v1") + f"?{parts.query}")

            async with anyio.create_task_group() as group:
                group.start_soon(follow)
                said = await terminal("login")
            assert said.output.startswith("logged in as user:anna until ")
            assert (await terminal("whoami")).lines[0] == "user:anna"


async def _browse(api: Api, path: str) -> None:
    """What a browser does: there, back, and on to the command line, which takes nothing but the code."""
    browser = Browser(api)
    departure = await browser.get(path)
    async with api.session.get(departure.headers["Location"], allow_redirects=False) as answer:
        back = answer.headers["Location"].removeprefix("https://trimtab.example/api/v1")
    onward = (await browser.get(back)).headers["Location"]
    parts = urlsplit(onward)
    assert [name for name, _ in parse_qsl(parts.query)] == ["code"]
    port = f"http://{parts.netloc}"
    for strange in ("/favicon.ico", "/", "/?code=", f"/?code={'x' * 300}", "/x?code=y"):
        async with api.session.get(port + strange) as answer:
            assert answer.status == 404
    async with api.session.get(onward) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")

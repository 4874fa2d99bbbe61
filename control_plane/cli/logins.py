"""`trimtab login`, `whoami` and `logout`: a person at the command line, with a session instead of a key."""

import ipaddress
import sys
from getpass import getpass
from typing import Annotated
from urllib.parse import urlsplit

import typer

from control_plane.cli.calling import Api, calling
from control_plane.cli.client import Client, ClientError
from control_plane.cli.kept_sessions import forget, keep, kept
from control_plane.cli.options import DEFAULT_URL, Url
from control_plane.cli.spread import spread
from control_plane.cli.terminal import EXIT_USAGE, fail, show, show_table, tell
from control_plane.cli.values import read_text
from shared.domain.codec import Json

# What a command needs is imported when it runs (PLC0415), so that `--help` answers at once.
# ruff: noqa: PLC0415

_AUTH = "/api/v1/auth"
_UNAUTHENTICATED = 401


def login(
    *,
    user: Annotated[
        str | None, typer.Option(help="Log in with the password of this account, not by the identity provider.")
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where the password stands, on one line; `-` is standard input."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser; otherwise only say where to go.")] = True,
    url: Url = DEFAULT_URL,
) -> None:
    """Log in as a person, and use the session wherever neither TRIMTAB_TOKEN nor --token is given.

    Where the control plane knows the company's identity provider a browser is opened; else a password is asked for.
    The session is kept in `~/.config/trimtab`, for its owner's eyes only, until `trimtab logout`.
    """
    _require_private(url)
    with calling(url, "") as client:
        by_password = user is not None or client.get(f"{_AUTH}/methods")["identity_provider"] is None
        made = _by_password(client, user, password_file) if by_password else _by_provider(client, browser=browser)
    keep(url, made["token"])
    show(f"logged in as user:{made['session']['user']} until {made['session']['ends_at']}")


def whoami(*, api: Api) -> None:
    """Show who one is at the control plane, and what was granted to one."""
    api.show(api.get(f"{_AUTH}/whoami"), _show_principal)


def logout(
    *,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="End all one's sessions, browsers' too.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """End the session that `trimtab login` has begun."""
    token = kept(url)
    if not token:
        fail(f"there is no session at {url}")
    try:
        Client(url, token).post(f"{_AUTH}/logout-everywhere" if everywhere else f"{_AUTH}/logout", None)
    except ClientError as error:
        if error.status != _UNAUTHENTICATED:
            fail(str(error))
        tell("it was over already")
    forget(url)
    show("logged out everywhere" if everywhere else "logged out")


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    for each in (login, whoami, logout):
        app.command(each.__name__, rich_help_panel=panel)(spread(each))


def _by_password(client: Client, user: str | None, file: str | None) -> Json:
    if file is None and not sys.stdin.isatty():
        fail("there is no terminal to ask for the password at: give --user and --password-file", EXIT_USAGE)
    name = user or str(typer.prompt("Name", err=True))
    password = getpass("Password: ") if file is None else _first_line(read_text(file if file == "-" else f"@{file}"))
    return client.post(f"{_AUTH}/login", {"name": name, "password": password, "carrier": "bearer"})


def _by_provider(client: Client, *, browser: bool) -> Json:
    from control_plane.cli.browser_login import login_by_browser

    return login_by_browser(client, open_browser=browser)


def _first_line(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _require_private(url: str) -> None:
    """Passwords and sessions go over no network in clear."""
    parts = urlsplit(url)
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        fail(f"{url} would show the session to the network: log in over https://", EXIT_USAGE)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _show_principal(principal: Json) -> None:
    show(principal["id"])
    rows = [[each["role"], each["reach"], each["source"]] for each in principal["grants"]]
    show_table(["role", "reach", "because of"], rows)

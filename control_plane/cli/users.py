"""`trimtab users`: accounts of people who log in with a password of this installation's."""

import sys
from getpass import getpass
from typing import Annotated
from urllib.parse import quote

import typer

from control_plane.cli.calling import Api
from control_plane.cli.spread import command
from control_plane.cli.terminal import EXIT_USAGE, fail, show, show_table, tell
from control_plane.cli.values import moment, read_text
from shared.domain.codec import Json

_PATH = "/api/v1/users"

Name = Annotated[str, typer.Argument(help="Under which the person logs in.")]
PasswordFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Where the password stands, on one line; `-` is standard input. Without it, it is asked for at the terminal.",
    ),
]
group = typer.Typer(help="Accounts of people who log in with a password.", no_args_is_help=True)


@command(group, "create")
def create(
    name: Name,
    *,
    display_name: Annotated[str, typer.Option(help="For people.")] = "",
    password_file: PasswordFile = None,
    api: Api,
) -> None:
    """Make an account. By itself it may do nothing: grant roles to `user:NAME`."""
    asked = {"name": name, "display_name": display_name, "password": _password(password_file)}
    api.show(api.post(_PATH, asked), lambda made: show(f"{made['name']} can log in"))


@command(group, "list")
def list_users(*, api: Api) -> None:
    """List the accounts, also of those whom the identity provider knows and who have logged in once."""
    api.show(api.pages(_PATH), _show_users)


@command(group, "disable")
def disable(name: Name, *, api: Api) -> None:
    """Let nobody log in to an account any more. Its sessions end at once."""
    api.show(api.post(f"{_one(name)}/disable", None), lambda user: show(f"{user['name']} cannot log in any more"))


@command(group, "enable")
def enable(name: Name, *, api: Api) -> None:
    """Let people log in to an account again."""
    api.show(api.post(f"{_one(name)}/enable", None), lambda user: show(f"{user['name']} can log in again"))


@command(group, "reset-password")
def reset_password(name: Name, *, password_file: PasswordFile = None, api: Api) -> None:
    """Give an account another password. Its sessions end at once."""
    password = _password(password_file)
    with api.calling() as client:
        user = client.put(f"{_one(name)}/password", {"password": password})
    api.show(user, lambda user: show(f"{user['name']} logs in with the new password from now on"))


def _one(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"


def _password(file: str | None) -> str:
    """A password, which no command line ever has: everybody on the machine can read those."""
    if file is not None:
        return read_text(file if file == "-" else f"@{file}").removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        fail("there is no terminal to ask for the password at: give --password-file", EXIT_USAGE)
    password = getpass("Password: ")
    if getpass("Once more: ") != password:
        fail("that was another one; nothing was done", EXIT_USAGE)
    return password


def _show_users(users: Json) -> None:
    rows = [[each["name"], each["display_name"], _kind(each), moment(each["last_login_at"])] for each in users]
    show_table(["name", "display name", "", "last login"], rows)
    if not users:
        tell("There is no account: see `trimtab users create --help`.")


def _kind(user: Json) -> str:
    words = ["external"] if user["external"] else []
    return ", ".join([*words, *(["disabled"] if user["disabled"] else [])])

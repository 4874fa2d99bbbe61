"""`trimtab api-keys`: people and machines that may use the API, each by a name and in a role."""

import os
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.client import Client
from control_plane.cli.spread import command
from control_plane.cli.terminal import fail, show, show_table, tell
from control_plane.cli.times import read_moment
from control_plane.cli.values import moment
from shared.domain.codec import Json

_PATH = "/api/v1/api-keys"
_ROLES = "viewer, editor (proposes), approver, publisher (proposes and commits), auditor, admin, member (only what bindings grant)"

Name = Annotated[str, typer.Argument(help="Who acts with it: lower-case letters, digits and dashes.")]
group = typer.Typer(help="People and machines: who may use the API, and for what.", no_args_is_help=True)


@command(group, "create")
def create(
    name: Name,
    *,
    role: Annotated[str, typer.Option(help=f"What it may do: {_ROLES}.")],
    description: Annotated[str, typer.Option(help="For people.")] = "",
    expires_at: Annotated[
        str | None, typer.Option(metavar="WHEN", help="When it ends by itself: 2030-01-31T00:00:00Z, +12h, +90d …")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write the token to this file (mode 0600) instead of printing it.")
    ] = None,
    api: Api,
) -> None:
    """Make a key and print its token, once. What is done with it is attributed to NAME.

    Example: `trimtab api-keys create alice --role editor --description "Alice, payments"`
    """
    end = None if expires_at is None else read_moment(expires_at)
    asked = {"name": name, "role": role, "description": description, "expires_at": end}
    made = api.post(_PATH, asked)
    if write is None:
        api.show(made, _show_token)
        return
    with os.fdopen(os.open(write, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{made['token']}\n")


@command(group, "list")
def list_keys(*, api: Api) -> None:
    """List the keys that are not revoked: name, role, who made it, when it was made and when it expires."""
    api.show(api.pages(_PATH), _show_keys)


@command(group, "revoke")
def revoke(name: Name, *, api: Api) -> None:
    """Make the key of NAME stop working: on every replica within two seconds."""
    with api.calling() as client:
        client.delete(f"{_PATH}/{_id_of(client, name)}")
    show(f"{name} is revoked")


def _show_token(made: Json) -> None:
    show(made["token"])
    tell(f"This is the only time it is shown. {made['name']} uses it as TRIMTAB_TOKEN.")


def _show_keys(keys: Json) -> None:
    rows = [[*_who(each), each["created_by"], moment(each["created_at"]), moment(each["expires_at"])] for each in keys]
    show_table(["name", "role", "description", "made by", "made", "expires"], rows)


def _who(key: Json) -> list[str]:
    return [key["name"], key["role"], key["description"]]


def _id_of(client: Client, name: str) -> str:
    found = next((each["id"] for each in client.pages(_PATH, {}) if each["name"] == name), None)
    if found is None:
        fail(f"there is no API key {name!r}: see `trimtab api-keys list`")
    return str(found)

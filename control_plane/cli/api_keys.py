"""`trimtab api-keys`: people and machines that may use the API, each by a name and in a role."""

import os
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli.calling import calling
from control_plane.cli.client import Client
from control_plane.cli.options import DEFAULT_URL, AsJson, Token, Url
from control_plane.cli.terminal import fail, show, show_json, show_table, tell
from control_plane.cli.values import moment
from shared.wire.codec import Json

_PATH = "/api/v1/api-keys"
_ROLES = "viewer, editor (proposes), approver, publisher (proposes and commits), auditor, admin"

Name = Annotated[str, typer.Argument(help="Who acts with it: lower-case letters, digits and dashes.")]
group = typer.Typer(help="People and machines: who may use the API, and for what.", no_args_is_help=True)


@group.command("create")
def create(
    name: Name,
    *,
    role: Annotated[str, typer.Option(help=f"What it may do: {_ROLES}.")],
    description: Annotated[str, typer.Option(help="For people.")] = "",
    expires_at: Annotated[
        str | None, typer.Option(help="When it stops working by itself, e.g. 2030-01-31T00:00:00Z.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write the token to this file (mode 0600) instead of printing it.")
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """Make a key and print its token, once. What is done with it is attributed to NAME.

    Example: `trimtab api-keys create alice --role editor --description "Alice, payments"`
    """
    asked = {"name": name, "role": role, "description": description, "expires_at": expires_at}
    with calling(url, token) as client:
        made = client.post(_PATH, asked)
    if write is not None:
        with os.fdopen(os.open(write, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"{made['token']}\n")
    elif json:
        show_json(made)
    else:
        show(made["token"])
        tell(f"This is the only time it is shown. {name} uses it as TRIMTAB_TOKEN.")


@group.command("list")
def list_keys(*, url: Url = DEFAULT_URL, token: Token = "", json: AsJson = False) -> None:
    """List the keys that are not revoked: name, role, who made it, when it was made and when it expires."""
    with calling(url, token) as client:
        keys = list(client.pages(_PATH, {}))
    if json:
        show_json(keys)
        return
    rows = [[*_who(each), each["created_by"], moment(each["created_at"]), moment(each["expires_at"])] for each in keys]
    show_table(["name", "role", "description", "made by", "made", "expires"], rows)


@group.command("revoke")
def revoke(name: Name, *, url: Url = DEFAULT_URL, token: Token = "") -> None:
    """Make the key of NAME stop working: on every replica within two seconds."""
    with calling(url, token) as client:
        client.delete(f"{_PATH}/{_id_of(client, name)}")
    show(f"{name} is revoked")


def _who(key: Json) -> list[str]:
    return [key["name"], key["role"], key["description"]]


def _id_of(client: Client, name: str) -> str:
    found = next((each["id"] for each in client.pages(_PATH, {}) if each["name"] == name), None)
    if found is None:
        fail(f"there is no API key {name!r}: see `trimtab api-keys list`")
    return str(found)

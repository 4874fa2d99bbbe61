"""`trimtab api-keys`: people and machines that may use the API, each by a name and in a role."""

import os
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.client import Client
from control_plane.cli.spread import command
from control_plane.cli.terminal import fail, show, show_table, tell
from control_plane.cli.times import read_moment, read_seconds
from control_plane.cli.values import moment
from shared.domain.codec import Json

_PATH = "/api/v1/api-keys"
_ROLES = "viewer, editor (proposes), approver, publisher (proposes and commits), auditor, admin, member (only what bindings grant)"

Name = Annotated[str, typer.Argument(help="Who acts with it: lower-case letters, digits and dashes.")]
Write = Annotated[Path | None, typer.Option(help="Write the token to this file (mode 0600) instead of printing it.")]
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
    address: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK", help="From where it may be used: 10.0.0.0/8. Repeat for more; anywhere without."
        ),
    ] = None,
    write: Write = None,
    api: Api,
) -> None:
    """Make a key and print its token, once. What is done with it is attributed to NAME.

    Example: `trimtab api-keys create alice --role editor --description "Alice, payments"`
    """
    end = None if expires_at is None else read_moment(expires_at)
    asked = {"name": name, "role": role, "description": description, "expires_at": end, "addresses": address or []}
    _hand_over(api, api.post(_PATH, asked), write)


@command(group, "rotate")
def rotate(
    name: Name,
    *,
    overlap: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long the present token goes on working: 90s, 12h, 1d; 0s ends it now."),
    ] = "1d",
    write: Write = None,
    api: Api,
) -> None:
    """Give the key of NAME another token and print that, once. The present one works for a while longer.

    Example: `trimtab api-keys rotate deployer --overlap 1h`
    """
    with api.calling() as client:
        key = _id_of(client, name)
    _hand_over(api, api.post(f"{_PATH}/{key}/rotate", {"overlap": read_seconds(overlap)}), write)


@command(group, "show")
def show_key(name: Name, *, api: Api) -> None:
    """Show the key of NAME: what it may do, from where, when it was used, and what becomes of it."""
    with api.calling() as client:
        key = client.get(f"{_PATH}/{_id_of(client, name)}", {})
    api.show(key, _show_key)


@command(group, "list")
def list_keys(*, api: Api) -> None:
    """List the keys that are not revoked: name, role, token's beginning, who made it and when, its end, its last use."""
    api.show(api.pages(_PATH), _show_keys)


@command(group, "revoke")
def revoke(name: Name, *, api: Api) -> None:
    """Make the key of NAME stop working: on every replica within two seconds."""
    with api.calling() as client:
        client.delete(f"{_PATH}/{_id_of(client, name)}")
    show(f"{name} is revoked")


def _hand_over(api: Api, made: Json, write: Path | None) -> None:
    """The token, to the terminal or into a file that nobody else may read."""
    if write is None:
        api.show(made, _show_token)
        return
    write.unlink(missing_ok=True)  # the mode is that of a file that is made
    with os.fdopen(os.open(write, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(f"{made['token']}\n")


def _show_key(key: Json) -> None:
    used = f"{moment(key['last_used_at'])} from {key['last_used_from']}" if key["last_used_at"] else "never"
    rows = {
        "name": key["name"],
        "role": key["role"],
        "description": key["description"],
        "token": f"{key['hint']}…",
        "addresses": ", ".join(key["addresses"]) or "anywhere",
        "made": f"{moment(key['created_at'])} by {key['created_by']}",
        "expires": moment(key["expires_at"]),
        "changed": moment(key["rotated_at"]),
        "former token until": moment(key["former_until"]),
        "last used": used,
    }
    show_table(["", ""], [[name, value] for name, value in rows.items()])


def _show_token(made: Json) -> None:
    show(made["token"])
    tell(f"This is the only time it is shown. {made['name']} uses it as TRIMTAB_TOKEN.")


def _show_keys(keys: Json) -> None:
    rows = [[*_who(each), each["created_by"], *map(moment, _times(each))] for each in keys]
    show_table(["name", "role", "token", "description", "made by", "made", "expires", "last used"], rows)


def _who(key: Json) -> list[str]:
    return [key["name"], key["role"], f"{key['hint']}…", key["description"]]


def _times(key: Json) -> tuple[Json, Json, Json]:
    return key["created_at"], key["expires_at"], key["last_used_at"]


def _id_of(client: Client, name: str) -> str:
    found = next((each["id"] for each in client.pages(_PATH, {}) if each["name"] == name), None)
    if found is None:
        fail(f"there is no API key {name!r}: see `trimtab api-keys list`")
    return str(found)

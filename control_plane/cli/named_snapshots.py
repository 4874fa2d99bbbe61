"""`trimtab snapshots`: revisions with names, to come back to."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.spread import command
from control_plane.cli.terminal import show, show_table
from control_plane.cli.times import read_moment
from control_plane.cli.values import moment
from shared.domain.codec import Json

_PATH = "/api/v1/named-snapshots"

Name = Annotated[str, typer.Argument(help="Its name: letters, digits, `_`, `.` and `-`.")]
group = typer.Typer(
    help="Named snapshots: revisions that are worth coming back to.\n\nNothing is copied: a name pins a revision. Compare with `trimtab compare shop/prod@NAME shop/prod`, go back with "
    "`trimtab restore --to-snapshot NAME`.",
    no_args_is_help=True,
)


@command(group, "create")
def create(
    name: Name,
    *,
    revision: Annotated[int | None, typer.Option(help="Which revision. Without it: the latest.")] = None,
    at: Annotated[str | None, typer.Option(metavar="WHEN", help="The last revision at this moment.")] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    api: Api,
) -> None:
    """Give a revision a name.

    Example: `trimtab snapshots create before-sale --description "All was well"`
    """
    asked = {"name": name, "revision": revision, "at": at and read_moment(at), "description": description}
    api.show(api.post(_PATH, asked), lambda made: show(f"{made['name']} is revision {made['revision']}"))


@command(group, "list")
def list_snapshots(*, api: Api) -> None:
    """List the named snapshots."""
    api.show(api.pages(_PATH), _show)


@command(group, "show")
def show_snapshot(name: Name, *, api: Api) -> None:
    """Show one named snapshot."""
    api.show(api.get(f"{_PATH}/{name}"), lambda found: _show([found]))


@command(group, "delete")
def delete(name: Name, *, api: Api) -> None:
    """Forget a name. The revision stays, and what stood there can still be read."""
    with api.calling() as client:
        client.delete(f"{_PATH}/{name}")
    show(f"{name} is forgotten")


def _show(items: Json) -> None:
    rows = [
        [each["name"], str(each["revision"]), moment(each["committed_at"]), each["created_by"], each["description"]]
        for each in items
    ]
    show_table(["name", "revision", "committed", "named by", "description"], rows)

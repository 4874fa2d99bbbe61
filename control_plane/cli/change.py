"""`trimtab change`: a change from its making to its commit, and the record of it."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.intent import Intent
from control_plane.cli.operations import Operations
from control_plane.cli.options import Limit
from control_plane.cli.receipt import show_receipt
from control_plane.cli.spread import command
from control_plane.cli.terminal import show, show_table
from control_plane.cli.values import moment, place
from shared.wire.codec import Json

_PATH = "/api/v1/changes"

group = typer.Typer(
    help="Changes: make, preview, approve, schedule, commit and undo them.\n\n"
    "A change is any number of operations in any scopes; agents show all of them at once.",
    no_args_is_help=True,
)


@command(group, "create")
def create(*, operations: Operations, intent: Intent, api: Api) -> None:
    """Make a change of several operations and commit it, or keep it for others to approve.

    Example: `trimtab change create --app shop --env prod --put db.pool=20 --delete db.old -m "More load" --submit`
    """
    api.show(api.post(_PATH, operations.document() | intent.members()), show_receipt)


@command(group, "list")
def list_changes(
    *,
    app: Annotated[str | None, typer.Option(help="Only changes that touch this application.")] = None,
    limit: Limit = 20,
    api: Api,
) -> None:
    """List changes, newest first."""
    api.show(api.get(_PATH, app_id=app, limit=limit)["items"], _show_changes)


@command(group, "show")
def show_change(
    change: Annotated[str, typer.Argument(help="Its revision.")],
    *,
    api: Api,
) -> None:
    """Show one change: who made it, when, why, and what it did."""
    api.show(api.get(f"{_PATH}/{change}"), _show_change)


@command(group, "revert")
def revert(
    revision: Annotated[int, typer.Argument(min=1, help="The revision of the change to undo.")],
    *,
    skip_moved: Annotated[
        bool, typer.Option("--skip-moved", help="Leave keys alone that somebody changed since.")
    ] = False,
    intent: Intent,
    api: Api,
) -> None:
    """Undo a whole committed change, as one change that can be reverted in turn.

    Refused if one of its keys was changed since, with both sides; --skip-moved reverts the others.
    """
    document = {"keys": "skip_moved" if skip_moved else "all", **intent.members()}
    api.show(api.post(f"{_PATH}/{revision}/revert", document), show_receipt)


def _show_changes(items: Json) -> None:
    rows = [[str(each["revision"]), moment(each["committed_at"]), each["author"], each["message"]] for each in items]
    show_table(["revision", "committed", "author", "message"], rows)


def _show_change(change: Json) -> None:
    show(f"revision {change['revision']}, committed {moment(change['committed_at'])}")
    rows = [["", each["op"], place(each), each["key"], f"v{each['version']}"] for each in change["operations"]]
    show_table(["", "does", "of", "key", "version"], rows)

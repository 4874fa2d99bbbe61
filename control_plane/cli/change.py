"""`trimtab change`: a change from its making to its commit, and the record of it."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.change_view import show_change, show_changes
from control_plane.cli.intent import Intent, Why
from control_plane.cli.operations import Operations
from control_plane.cli.options import Limit
from control_plane.cli.preview import show_preview
from control_plane.cli.receipt import show_receipt
from control_plane.cli.spread import command

PATH = "/api/v1/changes"
_OPEN = ("draft", "pending", "scheduled")
_STATES = (*_OPEN, "committed", "rejected", "withdrawn", "expired", "failed")

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
    api.show(api.post(PATH, operations.document() | intent.members()), show_receipt)


@command(group, "preview")
def preview(*, operations: Operations, why: Why, api: Api) -> None:
    """Show what a change would do, and do nothing: who would see what, what stands against it, whom it reaches.

    Example: `trimtab change preview --put http.timeout_ms=5000`
    """
    api.show(api.post(f"{PATH}/preview", operations.document() | why.members()), show_preview)


@command(group, "list")
def list_changes(
    *,
    state: Annotated[str, typer.Option(help=f"Those in this state: open (all that wait), {', '.join(_STATES)}.")] = (
        "committed"
    ),
    app: Annotated[str | None, typer.Option(help="Only changes that touch this application.")] = None,
    author: Annotated[str | None, typer.Option(help="Only those of this author.")] = None,
    limit: Limit = 20,
    api: Api,
) -> None:
    """List changes, newest first: those that are committed, or those that wait (`--state open`)."""
    states = _OPEN if state == "open" else (state,)
    query = {"app_id": app, "author": author, "limit": limit}
    items = [each for one in states for each in api.get(PATH, state=one, **query)["items"]]
    api.show(items, show_changes)


@command(group, "show")
def show_one(
    change: Annotated[str, typer.Argument(help="Its revision, or its id.")],
    *,
    api: Api,
) -> None:
    """Show one change: who made it, when, why, what it does, and what it waits for."""
    api.show(api.get(f"{PATH}/{change}"), show_change)


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
    api.show(api.post(f"{PATH}/{revision}/revert", document), show_receipt)

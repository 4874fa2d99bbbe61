"""`trimtab reviews`: what was committed past its policies, and who looked at it since."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.spread import command
from control_plane.cli.terminal import show, show_table
from control_plane.cli.values import moment
from shared.domain.codec import Json

_PATH = "/api/v1/reviews"

group = typer.Typer(
    help="Reviews: a change that was committed past its policies waits for a second person.", no_args_is_help=True
)


@command(group, "list")
def list_reviews(
    *, everything: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False, api: Api
) -> None:
    """List the reviews that are open."""
    api.show(api.pages(_PATH, state=None if everything else "open"), _show_reviews)


@command(group, "close")
def close(
    review: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    *,
    comment: Annotated[str, typer.Option("--comment", "-m", help="What was found.")] = "",
    api: Api,
) -> None:
    """Close a review of what somebody else did."""
    closed = api.post(f"{_PATH}/{review}/close", {"comment": comment})
    api.show(closed, lambda each: show(f"{each['id']} closed by {each['closed_by']}"))


def _show_reviews(items: Json) -> None:
    rows = [[each["id"], each["state"], str(each["revision"]), *_opened(each)] for each in items]
    show_table(["id", "state", "revision", "by", "at", "reason", "past"], rows)


def _opened(review: Json) -> list[str]:
    return [review["opened_by"], moment(review["opened_at"]), review["reason"], ", ".join(review["policies"])]

"""`trimtab change submit`, `approve` and the like: what people do with a change that is stored."""

from dataclasses import dataclass
from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.change import PATH
from control_plane.cli.change_view import show_change
from control_plane.cli.operations import Operations
from control_plane.cli.receipt import show_receipt
from control_plane.cli.spread import spread
from control_plane.cli.times import read_moment
from shared.domain.codec import Json

Id = Annotated[str, typer.Argument(metavar="ID", help="Its id: see `trimtab change list --state open`.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why; it is kept.")]


@dataclass(frozen=True)
class Reading:
    """Which edition was read."""

    edition: Annotated[int | None, typer.Option(min=1, help="Refuse it if it was edited since this edition.")] = None

    def members(self) -> dict[str, Json]:
        """The members of a request."""
        return {} if self.edition is None else {"edition": self.edition}


def edit(
    change: Id,
    *,
    operations: Operations,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Another message.")] = None,
    api: Api,
) -> None:
    """Give a change that waits other operations (all of them anew), or another message. Approvals start anew.

    Example: `trimtab change edit ID --app shop --env prod --put db.pool=24`
    """
    document = operations.document() if operations.any_given else {}
    if message is not None:
        document["message"] = message
    with api.calling() as client:
        edition = client.get(f"{PATH}/{change}")["life"]["edition"]
        edited = client.patch(f"{PATH}/{change}", document, version=edition)
    api.show(edited, show_change)


def submit(change: Id, *, reading: Reading, api: Api) -> None:
    """Submit a draft: others can approve it from now on."""
    _do("submit", change, reading.members(), api)


def approve(change: Id, *, comment: Comment = "", reading: Reading, api: Api) -> None:
    """Approve somebody else's change, as it is now. An edit takes approvals away."""
    _do("approve", change, reading.members() | {"comment": comment}, api)


def reject(change: Id, *, comment: Comment = "", reading: Reading, api: Api) -> None:
    """Reject a change for good."""
    _do("reject", change, reading.members() | {"comment": comment}, api)


def withdraw(change: Id, *, comment: Comment = "", reading: Reading, api: Api) -> None:
    """Take a change of one's own back for good."""
    _do("withdraw", change, reading.members() | {"comment": comment}, api)


def schedule(
    change: Id,
    when: Annotated[str, typer.Argument(metavar="WHEN", help="2030-01-31T08:00:00Z, +30s, +10m, +2h …")],
    *,
    reading: Reading,
    api: Api,
) -> None:
    """Let a submitted change be committed by itself at a time, if it has its approvals by then."""
    _do("schedule", change, reading.members() | {"scheduled_at": read_moment(when)}, api)


def commit(
    change: Id,
    *,
    break_glass: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Past its policies, now; a second person has to review it."),
    ] = None,
    reading: Reading,
    api: Api,
) -> None:
    """Commit a submitted change now, if it has its approvals and a window is open."""
    breaking = {} if break_glass is None else {"break_glass": {"reason": break_glass}}
    api.show(api.post(f"{PATH}/{change}/commit", reading.members() | breaking), show_receipt)


def register(group: typer.Typer) -> None:
    """Add the commands to those of `trimtab change`."""
    for each in (edit, submit, approve, reject, withdraw, schedule, commit):
        group.command()(spread(each))


def _do(action: str, change: str, document: Json, api: Api) -> None:
    api.show(api.post(f"{PATH}/{change}/{action}", document), show_change)

"""What to do with a change: the options of every command that makes one, and the members of its request."""

from dataclasses import dataclass
from typing import Annotated

import typer

from control_plane.cli.options import DryRun, Message
from control_plane.cli.terminal import EXIT_USAGE, fail
from control_plane.cli.times import read_moment
from shared.domain.codec import Json

_PANEL = "What to do with the change"


@dataclass(frozen=True)
class Why:
    """Why a change is made."""

    message: Message = ""
    label: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, what it belongs to: `ticket=OPS-7`. May be repeated.")
    ] = None
    force: Annotated[
        str | None, typer.Option(metavar="REASON", help="Do it although guards object; the reason is audited.")
    ] = None

    def members(self) -> dict[str, Json]:
        """The members of a request; what is not given is left out."""
        return _given(message=self.message or None, labels=read_labels(self.label), force=_because(self.force))


@dataclass(frozen=True)
class Intent(Why):
    """Why a change is made, and how far to go with it: commit it, unless an option says otherwise."""

    draft: Annotated[bool, typer.Option("--draft", help="Keep it as a draft.", rich_help_panel=_PANEL)] = False
    submit: Annotated[bool, typer.Option("--submit", help="Submit it for approval.", rich_help_panel=_PANEL)] = False
    at: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Submit it, to be committed then: 2030-01-31T08:00:00Z, +30s, +10m, +2h …",
            rich_help_panel=_PANEL,
        ),
    ] = None
    break_glass: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Commit it at once, past its policies; a second person has to review it.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    dry_run: DryRun = False

    def members(self) -> dict[str, Json]:
        """The members of a request; what is not given is left out."""
        if (self.draft and (self.submit or self.at)) or (self.break_glass and (self.draft or self.submit or self.at)):
            fail("--draft, --submit or --at, and --break-glass exclude each other", EXIT_USAGE)
        mode = "draft" if self.draft else "submit" if self.submit or self.at else None
        when = None if self.at is None else read_moment(self.at)
        given = _given(mode=mode, scheduled_at=when, break_glass=_because(self.break_glass), dry_run=self.dry_run)
        return super().members() | given


def read_labels(given: list[str] | None) -> dict[str, Json] | None:
    """Labels from `NAME=VALUE`."""
    if given is None:
        return None
    pairs = [each.partition("=") for each in given]
    if wrong := next((name for name, equals, _ in pairs if not (name and equals)), None):
        fail(f"--label {wrong!r} is not NAME=VALUE", EXIT_USAGE)
    return {name: value for name, _, value in pairs}


def _because(reason: str | None) -> dict[str, Json] | None:
    return None if reason is None else {"reason": reason}


def _given(**members: Json) -> dict[str, Json]:
    return {name: value for name, value in members.items() if value not in (None, False)}

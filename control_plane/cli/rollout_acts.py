"""`trimtab rollout start`, `abort` and the like: what people do with a rollout."""

from dataclasses import dataclass
from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.rollouts import Id, act
from control_plane.cli.spread import spread
from shared.domain.codec import Json


@dataclass(frozen=True)
class Saying:
    """Why, and which version was read."""

    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; it is kept.")] = ""
    version: Annotated[int | None, typer.Option(min=1, help="Refuse it if something happened since this version.")] = (
        None
    )

    def members(self) -> dict[str, Json]:
        """The members of a request; what is not given is left out."""
        given = {"reason": self.reason or None, "version": self.version}
        return {name: value for name, value in given.items() if value is not None}


def start(
    rollout: Id,
    *,
    saying: Saying,
    force: Annotated[
        str | None, typer.Option(metavar="REASON", help="Do it although guards object; the reason is audited.")
    ] = None,
    break_glass: Annotated[
        str | None, typer.Option(metavar="REASON", help="Past its policies, now; a second person has to review it.")
    ] = None,
    api: Api,
) -> None:
    """Start a rollout: its first step is exposed from now on."""
    given = {"force": force, "break_glass": break_glass}
    reasons = {name: {"reason": reason} for name, reason in given.items() if reason is not None}
    act(api, rollout, "start", saying.members() | reasons)


def pause(rollout: Id, *, saying: Saying, api: Api) -> None:
    """Freeze a rollout: nobody comes in or goes out, and its times move on until it is resumed."""
    act(api, rollout, "pause", saying.members())


def resume(rollout: Id, *, saying: Saying, api: Api) -> None:
    """Let a rollout that was paused, or that waits for a person, go on."""
    act(api, rollout, "resume", saying.members())


def promote(
    rollout: Id,
    *,
    full: Annotated[bool, typer.Option("--full", help="All the way: everybody gets the candidate for good.")] = False,
    saying: Saying,
    api: Api,
) -> None:
    """Take the next step now, whatever its gates and time; with --full, the last one."""
    act(api, rollout, "promote", saying.members() | ({"full": True} if full else {}))


def abort(rollout: Id, *, saying: Saying, api: Api) -> None:
    """Withdraw a rollout: everybody gets what was there before, at once."""
    act(api, rollout, "abort", saying.members())


def approve(
    rollout: Id,
    *,
    version: Annotated[int | None, typer.Option(min=1, help="Refuse it if something happened since this version.")] = (
        None
    ),
    api: Api,
) -> None:
    """Approve what a rollout waits for: its start, or the gate that it stands at."""
    act(api, rollout, "approve", {} if version is None else {"version": version})


def register(group: typer.Typer) -> None:
    """Add the commands to those of `trimtab rollout`."""
    for each in (start, pause, resume, promote, abort, approve):
        group.command()(spread(each))

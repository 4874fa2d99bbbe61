"""`trimtab rollout`: make, preview, look at rollouts, and follow one to its end."""

import time
from dataclasses import dataclass
from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.client import Client, ClientError
from control_plane.cli.intent import Why
from control_plane.cli.kept_sessions import token_for
from control_plane.cli.operations import Place
from control_plane.cli.options import DryRun, Limit
from control_plane.cli.rollout_plan import PlanOptions
from control_plane.cli.rollout_preview import show_rollout_preview
from control_plane.cli.rollout_view import line, show_brief, show_events, show_rollout, show_rollouts
from control_plane.cli.spread import command
from control_plane.cli.terminal import EXIT_FAILURE, EXIT_USAGE, fail, show, show_json, tell
from control_plane.cli.times import read_moment
from control_plane.cli.values import read_value
from shared.domain.codec import Json

PATH = "/api/v1/rollouts"
_SHORTEST, _BREATH = 0.05, 1.0
_OPEN = ("pending", "progressing", "waiting", "paused")

Id = Annotated[str, typer.Argument(metavar="ID", help="Its id: see `trimtab rollout list`.")]
group = typer.Typer(
    help="Rollouts: expose a candidate to some, then to everybody, or withdraw it.\n\n"
    "A rollout advances by time, by what its gates show, or by a person; agents decide by themselves who gets what.",
    no_args_is_help=True,
)


@dataclass(frozen=True)
class What:
    """What a rollout exposes."""

    key: Annotated[str | None, typer.Argument(help="The config's key.")] = None
    candidate: Annotated[
        str | None, typer.Argument(help="JSON, or a text as it is; `-` or `@FILE` reads it from there.")
    ] = None
    kind: Annotated[str, typer.Option(help="What the candidate is: value, flag or segment.")] = "value"
    template: Annotated[str | None, typer.Option(help="The plan of this template; options add to it.")] = None

    def what(self) -> dict[str, Json]:
        """The members of a request."""
        if self.kind not in _MEMBERS:
            fail(f"--kind {self.kind!r} is none of {', '.join(_MEMBERS)}", EXIT_USAGE)
        members: dict[str, Json] = {} if self.key is None else {"key": self.key}
        if self.candidate is not None:
            members[_MEMBERS[self.kind]] = read_value(self.candidate)
        return members if self.template is None else members | {"template": self.template}


_MEMBERS = {"value": "candidate", "flag": "flag", "segment": "segment"}


@command(group, "create")
def create(
    *,
    what: What,
    place: Place,
    plan: PlanOptions,
    why: Why,
    start: Annotated[bool, typer.Option("--start", help="Start it at once.")] = False,
    start_at: Annotated[
        str | None, typer.Option(metavar="WHEN", help="When it starts by itself: 2030-01-31T08:00:00Z, +2h.")
    ] = None,
    break_glass: Annotated[
        str | None, typer.Option(metavar="REASON", help="With --start: past its policies, to be reviewed.")
    ] = None,
    dry_run: DryRun = False,
    api: Api,
) -> None:
    """Make a rollout. It waits to be started, unless --start is given.

    Example: `trimtab rollout create db.pool 40 --app shop --env prod --strategy percentage --stage 10%@0s --stage 50%@1h --stage 100%@2h --start`
    """
    document = plan.plan() | _given(place) | what.what() | why.members()
    document |= ({"start": True} if start else {}) | ({"start_at": read_moment(start_at)} if start_at else {})
    document |= {"dry_run": True} if dry_run else {}
    document |= {"break_glass": {"reason": break_glass}} if break_glass is not None else {}
    api.show(api.post(PATH, document), show_rollout_preview if dry_run else show_rollout)


@command(group, "preview")
def preview(
    *,
    what: What,
    place: Place,
    plan: PlanOptions,
    context: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONTEXT", help='Who might ask: a targetingKey, or \'{"targetingKey": "u1", …}\'. May be repeated.'
        ),
    ] = None,
    why: Why,
    api: Api,
) -> None:
    """Show what a rollout would do, and do nothing: its steps with their times, whom it reaches, what stands against it.

    Example: `trimtab rollout preview db.pool 40 --app shop --env prod --strategy canary --context alice --context bob`
    """
    contexts = [_context(each) for each in context or ()]
    document = plan.plan() | _given(place) | what.what() | why.members() | ({"contexts": contexts} if contexts else {})
    api.show(api.post(f"{PATH}/preview", document), show_rollout_preview)


@command(group, "list")
def list_rollouts(
    *,
    place: Place,
    key: Annotated[str | None, typer.Option(help="Only those of this config.")] = None,
    phase: Annotated[str | None, typer.Option(help="open (those that have not ended), or one of the phases.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Only those of this strategy.")] = None,
    limit: Limit = 20,
    api: Api,
) -> None:
    """List rollouts, newest first."""
    phases = _OPEN if phase == "open" else (phase,)
    query = place.members() | {"key": key, "strategy": strategy, "limit": limit}
    found = [each for one in phases for each in api.get(PATH, phase=one, **query)["items"]]
    newest = sorted(found, key=lambda each: str(each["created_at"]), reverse=True)
    api.show(newest[:limit], show_rollouts)


@command(group, "show")
def show_one(rollout: Id, *, api: Api) -> None:
    """Show one rollout: its plan, where it is and why, and its numbers."""
    api.show(api.get(f"{PATH}/{rollout}"), show_rollout)


@command(group, "history")
def history(
    rollout: Id,
    *,
    measurements: Annotated[bool, typer.Option("--measurements", help="Those of its gates as well.")] = False,
    limit: Limit = 50,
    api: Api,
) -> None:
    """Show what happened to a rollout, newest first."""
    query = {"limit": limit, "measurements": "true" if measurements else None}
    api.show(api.get(f"{PATH}/{rollout}/events", **query)["items"], show_events)


@command(group, "clone")
def clone(rollout: Id, *, what: What, place: Place, plan: PlanOptions, why: Why, api: Api) -> None:
    """Make a new rollout like another one, with what is given in the place of what that has.

    Example: `trimtab rollout clone ID --app shop --env prod`
    """
    document = plan.plan() | _given(place) | what.what() | why.members()
    api.show(api.post(f"{PATH}/{rollout}/clone", document), show_rollout)


@command(group, "watch")
def watch(
    rollout: Id,
    *,
    interval: Annotated[float, typer.Option(min=_SHORTEST, help="Seconds between two looks.")] = 1.0,
    timeout: Annotated[float | None, typer.Option(min=0, help="Give up after so many seconds (exit code 3).")] = None,
    api: Api,
) -> None:
    """Follow a rollout to its end, with a line for each thing that changes. Exit code 0: completed, 1: aborted.

    With --json, each line is the rollout as the API shows it. While the control plane does not answer, it asks again.
    """
    ends_at = None if timeout is None else time.monotonic() + timeout
    told, seen = "", api.get(f"{PATH}/{rollout}")
    while True:
        if (now := line(seen)) != told:
            show_json(seen) if api.json else show(now)
            told = now
        if seen["finished_at"] is not None:
            raise SystemExit(0 if seen["phase"] == "completed" else EXIT_FAILURE)
        if ends_at is not None and time.monotonic() >= ends_at:
            fail(f"it is still {seen['phase']}", _EXIT_TIMEOUT)
        time.sleep(interval)
        seen = ask_patiently(api, f"{PATH}/{rollout}", interval)


_EXIT_TIMEOUT = 3
_PATIENCE = 60.0


def ask_patiently(api: Api, path: str, interval: float) -> Json:
    """What was there before, asked for until it is answered again, for a minute."""
    client, until = Client(api.url, token_for(api.url, api.token)), time.monotonic() + _PATIENCE
    while True:
        try:
            return client.get(path)
        except ClientError as error:
            if time.monotonic() >= until:
                fail(str(error))
            tell(f"{error}; asking again")
        time.sleep(max(interval, _BREATH))


def act(api: Api, rollout: str, action: str, document: Json) -> None:
    """Do something with a rollout, and show where it is then."""
    api.show(api.post(f"{PATH}/{rollout}/{action}", document), show_brief)


def _given(place: Place) -> dict[str, Json]:
    return {name: each for name, each in place.members().items() if each is not None}


def _context(text: str) -> Json:
    document = read_value(text)
    return document if isinstance(document, dict) else {"targetingKey": text}

"""`trimtab rollback`, `restore` and `promote`: changes that are computed from what was, or from what stands elsewhere."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.configs import Key
from control_plane.cli.history import Prefix
from control_plane.cli.intent import Intent
from control_plane.cli.lookup import config_path, read_pair
from control_plane.cli.operations import Place
from control_plane.cli.options import OneApp, OneEnvironment
from control_plane.cli.receipt import show_receipt
from control_plane.cli.spread import spread
from control_plane.cli.terminal import EXIT_USAGE, fail
from control_plane.cli.times import read_moment

ToRevision = Annotated[int | None, typer.Option("--to-revision", min=0, help="As it was at this revision.")]
To = Annotated[
    str | None, typer.Option("--to", metavar="WHEN", help="As it was then: 2030-01-31T08:00:00Z, or -10m, -2h, -1d.")
]


def rollback(
    key: Key,
    version: Annotated[int, typer.Argument(min=1, help="The version to put back: see `trimtab history`.")],
    *,
    place: Place,
    intent: Intent,
    api: Api,
) -> None:
    """Put one KEY of one scope back to what it was in an earlier version."""
    path = f"{config_path(api, key, place)}/rollback"
    api.show(api.post(path, {"version": version, **intent.members()}), show_receipt)


def restore(
    *,
    app: OneApp,
    environment: OneEnvironment,
    to_revision: ToRevision = None,
    to: To = None,
    to_snapshot: Annotated[
        str | None, typer.Option("--to-snapshot", metavar="NAME", help="As it was at this named snapshot.")
    ] = None,
    prefix: Prefix = "",
    scope_only: Annotated[
        bool, typer.Option("--scope-only", help="Only the entries of its own scope, not all that it gets.")
    ] = False,
    intent: Intent,
    api: Api,
) -> None:
    """Take an environment back to what it was at a moment, as one change that can itself be undone.

    Example: `trimtab restore --app checkout --env prod --to -1h --dry-run`
    """
    if [to, to_revision, to_snapshot].count(None) != 2:  # noqa: PLR2004 - all but one
        fail("give one of --to, --to-revision and --to-snapshot", EXIT_USAGE)
    at = None if to is None else read_moment(to)
    moment = {"revision": to_revision, "at": at, "snapshot": to_snapshot}
    what = {"extent": "scope" if scope_only else "effective", "prefix": prefix}
    document = {**moment, **what, **intent.members()}
    api.show(api.post(f"/api/v1/apps/{app}/environments/{environment}/restore", document), show_receipt)


def promote(
    keys: Annotated[list[str], typer.Argument(help="The keys to carry over.")],
    *,
    source: Annotated[str, typer.Option("--from", metavar="APP/ENV", help="Whose effective values.")],
    target: Annotated[str, typer.Option("--to", metavar="APP/ENV", help="Into whose own scope.")],
    from_revision: Annotated[int | None, typer.Option(min=0, help="As they were at this revision.")] = None,
    intent: Intent,
    api: Api,
) -> None:
    """Carry the effective values of some keys from one environment to another, as one change.

    Example: `trimtab promote payments.timeout_ms --from checkout/staging --to checkout/prod -m "Tested"`
    """
    origin = read_pair(source) | ({} if from_revision is None else {"revision": from_revision})
    document = {"from": origin, "to": read_pair(target), "keys": keys, **intent.members()}
    api.show(api.post("/api/v1/promotions", document), show_receipt)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    for command in (rollback, restore, promote):
        app.command(rich_help_panel=panel)(spread(command))

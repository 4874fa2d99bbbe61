"""`trimtab history`, `diff`, `effective` and `compare`: what was, by whom, and how two things differ."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.configs import Key
from control_plane.cli.differences import show_lines
from control_plane.cli.lookup import config_path
from control_plane.cli.operations import Place
from control_plane.cli.options import Limit, OneApp, OneEnvironment
from control_plane.cli.spread import spread
from control_plane.cli.terminal import EXIT_USAGE, fail, show, show_table
from control_plane.cli.times import read_moment
from control_plane.cli.values import brief_config, moment, place
from shared.domain.codec import Json

Prefix = Annotated[str, typer.Option(help="Only keys that begin with this.")]
Side = Annotated[
    str,
    typer.Argument(
        help="APP/ENV, `global` or `app.APP`; `@17`, `@2030-01-31T08:00:00Z` or `@NAME` of a snapshot after it."
    ),
]


def history(key: Key, *, place: Place, limit: Limit = 20, api: Api) -> None:
    """List the versions of KEY in one scope, newest first: who changed it, when, to what, and why."""
    items = api.get(f"{config_path(api, key, place)}/versions", limit=limit)["items"]
    api.show(items, _show_versions)


def diff(
    key: Key,
    *,
    place: Place,
    from_: Annotated[int | None, typer.Option("--from", min=0, help="The earlier version; 0: none.")] = None,
    to: Annotated[int | None, typer.Option(min=0, help="The later version. Without it: the current one.")] = None,
    api: Api,
) -> None:
    """Show how one version of KEY differs from another: by default the current one from the one before."""
    answer = api.get(f"{config_path(api, key, place)}/difference", **{"from": from_, "to": to})
    api.show(answer, _show_difference)


def effective(
    *,
    app: OneApp,
    environment: OneEnvironment,
    at: Annotated[
        str | None, typer.Option(metavar="WHEN", help="At this moment: 2030-01-31T08:00:00Z, or -10m, -2h, -1d.")
    ] = None,
    revision: Annotated[int | None, typer.Option(min=0, help="At this revision.")] = None,
    snapshot: Annotated[str | None, typer.Option(help="At this named snapshot.")] = None,
    prefix: Prefix = "",
    api: Api,
) -> None:
    """Show what an application gets in an environment, now or at any moment: each key with where it came from.

    Example: `trimtab effective --app checkout --env prod --at 2030-01-31T03:12:00Z`
    """
    if [at, revision, snapshot].count(None) < 2:  # noqa: PLR2004 - all but one
        fail("give one of --at, --revision and --snapshot", EXIT_USAGE)
    when = None if at is None else read_moment(at)
    path = f"/api/v1/effective/{app}/{environment}"
    api.show(api.pages(path, revision=revision, at=when, snapshot=snapshot, prefix=prefix or None), _show_effective)


def compare(
    left: Side,
    right: Side,
    *,
    prefix: Prefix = "",
    everything: Annotated[bool, typer.Option("--all", help="Also keys that do not differ.")] = False,
    api: Api,
) -> None:
    """Show where two environments, scopes or moments differ, key by key.

    Examples: `trimtab compare checkout/staging checkout/prod`, `trimtab compare checkout/prod@17 checkout/prod`
    """
    query = {"left": left, "right": right, "prefix": prefix or None, "all": "true" if everything else None}
    api.show(api.pages("/api/v1/compare", **query), _show_comparison)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    for command in (history, diff, effective, compare):
        app.command(rich_help_panel=panel)(spread(command))


def _show_versions(items: Json) -> None:
    rows = [[f"v{each['version']}", _deed(each), *_made(each)] for each in items]
    show_table(["version", "value", "revision", "author", "committed", "message"], rows)


def _deed(version: Json) -> str:
    return brief_config(version) if version["op"] in {"put", "mask"} else f"({version['op']})"


def _show_difference(answer: Json) -> None:
    before, after = (f"v{each['version']}" if each else "nothing" for each in (answer["before"], answer["after"]))
    show(f"{before} -> {after}")
    if answer["sensitive"]:
        show("  (sensitive) " + ("another value" if answer["differs"] else "the same value"))
    elif not answer["differs"]:
        show("  no difference")
    else:
        show_lines(answer["readable"], truncated=answer["truncated"])


def _show_effective(items: Json) -> None:
    rows = [[each["key"], brief_config(each["origin"]), *_origin(each["origin"])] for each in items]
    show_table(["key", "value", "from", "version", "revision", "author", "committed", "message"], rows)


def _origin(origin: Json) -> list[str]:
    return [_scope(origin), f"v{origin['version']}", *_made(origin)]


def _made(entry: Json) -> list[str]:
    return [str(entry["revision"]), entry["author"], moment(entry["committed_at"]), entry["message"]]


def _scope(origin: Json) -> str:
    return "global" if origin["scope"] == "global" else place(origin)


def _show_comparison(items: Json) -> None:
    rows = [[_mark(each), each["key"], _side(each["left"]), _side(each["right"])] for each in items]
    show_table(["", "key", "left", "right"], rows)


def _mark(pair: Json) -> str:
    if not pair["differs"]:
        return "="
    return "-" if pair["right"] is None else "+" if pair["left"] is None else "~"


def _side(origin: Json) -> str:
    if origin is None:
        return "-"
    return f"{brief_config(origin)}  [{_scope(origin)}]"

"""`trimtab schemas`: what the values of which keys have to look like."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.spread import command
from control_plane.cli.terminal import EXIT_FAILURE, fail, show, show_json, show_table
from control_plane.cli.values import brief, place, read_value
from shared.domain.codec import Json

_PATH = "/api/v1/schemas"

Pattern = Annotated[str, typer.Argument(help="The keys that it is about: one key, or `*` for anything in it: `db.*`.")]
OfApp = Annotated[str | None, typer.Option("--app", help="The application. Without it: all of them.")]
group = typer.Typer(
    help="Schemas: what effective values have to look like (JSON Schema 2020-12).", no_args_is_help=True
)


@command(group, "set")
def set_schema(
    pattern: Pattern,
    schema: Annotated[str, typer.Argument(help="The schema as JSON. `-` or `@FILE` reads it from there.")],
    *,
    app: OfApp = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Hold it against all values, and keep nothing.")] = False,
    api: Api,
) -> None:
    """Let the values of some keys fit a schema, in every environment. Refused while one does not.

    Example: `trimtab schemas set payments.timeout_ms '{"type": "integer", "maximum": 10000}' --app checkout`
    """
    asked = {"app_id": app, "pattern": pattern, "schema": read_value(schema), "description": description}
    asked |= {"dry_run": True} if dry_run else {}
    known = _find(api, pattern, app)
    with api.calling() as client:
        if known is None:
            answer = client.post(_PATH, asked)
        else:
            answer = client.put(f"{_PATH}/{known['id']}", asked, version=known["version"])
    api.show(answer, _show_trial if dry_run else lambda made: show(f"{pattern}: version {made['version']}"))


@command(group, "list")
def list_schemas(*, app: OfApp = None, api: Api) -> None:
    """List the schemas by application and keys."""
    api.show(api.pages(_PATH, app_id=app), _show_schemas)


@command(group, "show")
def show_schema(pattern: Pattern, *, app: OfApp = None, api: Api) -> None:
    """Print one schema."""
    known = _known(api, pattern, app)
    api.show(known, lambda each: show_json(each["schema"]))


@command(group, "delete")
def delete(pattern: Pattern, *, app: OfApp = None, api: Api) -> None:
    """Take a schema away: values no longer have to fit it."""
    known = _known(api, pattern, app)
    with api.calling() as client:
        client.delete(f"{_PATH}/{known['id']}", version=known["version"])
    show(f"{pattern}: no longer checked")


def _find(api: Api, pattern: str, app: str | None) -> Json:
    found = (each for each in api.pages(_PATH) if (each["app_id"], each["pattern"]) == (app, pattern))
    return next(found, None)


def _known(api: Api, pattern: str, app: str | None) -> Json:
    known = _find(api, pattern, app)
    if known is None:
        fail(f"there is no schema for {pattern!r}: see `trimtab schemas list`")
    return known


def _show_schemas(items: Json) -> None:
    rows = [[place(each), each["pattern"], f"v{each['version']}", brief(each["schema"])] for each in items]
    show_table(["of", "keys", "version", "schema"], rows)


def _show_trial(trial: Json) -> None:
    found = trial["schema_violations"]
    for each in found["items"]:
        show(f"{place(each)} {each['key']} {each['pointer'] or '(the whole value)'}: {each['detail']}")
    show(f"{trial['values']} values looked at, {found['total']} violations; nothing was changed")
    if not trial["would_keep"]:
        raise SystemExit(EXIT_FAILURE)

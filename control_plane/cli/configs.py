"""The client commands for configs: read and write them, look at the latest changes and at the fleet."""

from collections.abc import Callable, Iterator
from typing import Annotated

import typer

from control_plane.cli.calling import Api, calling
from control_plane.cli.intent import Intent
from control_plane.cli.operations import Place
from control_plane.cli.options import DEFAULT_URL, Limit, OneApp, OneEnvironment, Url
from control_plane.cli.receipt import show_receipt
from control_plane.cli.spread import spread
from control_plane.cli.terminal import EXIT_USAGE, fail, show, show_table
from control_plane.cli.values import brief_config, place, plain, read_document, read_value
from shared.domain.codec import Json

_PANEL = "Configs (clients of the API)"

Key = Annotated[str, typer.Argument(help="The config's key.")]
OfApp = Annotated[str | None, typer.Option("--app", help="Only of this application.")]
OfEnvironment = Annotated[str | None, typer.Option("--env", help="Only of this environment.")]


def get(key: Key, *, app: OneApp, environment: OneEnvironment, api: Api) -> None:
    """Print the effective value of KEY for an application in an environment.

    With --json also where it comes from.
    """
    answer = api.post("/api/v1/configs/fetch", {"app_id": app, "environment": environment, "keys": [key]})
    found = answer["configs"].get(key)
    if found is None:
        fail(f"{app}/{environment} has no config {key!r}")
    api.show(found, lambda config: show(plain(config["value"])))


def put(
    key: Key,
    value: Annotated[
        str | None, typer.Argument(help="JSON, or a text as it is. `-` or `@FILE` reads it from there.")
    ] = None,
    *,
    flag: Annotated[str | None, typer.Option(metavar="FILE", help="A flag: JSON or YAML in a file, or `-`.")] = None,
    segment: Annotated[
        str | None, typer.Option(metavar="FILE", help="A segment: JSON or YAML in a file, or `-`.")
    ] = None,
    place: Place,
    sensitive: Annotated[bool | None, typer.Option("--sensitive/--not-sensitive", help="Never show it.")] = None,
    intent: Intent,
    api: Api,
) -> None:
    """Give KEY a value, or make it a flag or a segment: globally, for an application, or in one of its environments.

    Example: `trimtab put payments.timeout_ms 1200 --app checkout --env prod -m "Bank is slow"`
    """
    operation = {"op": "put", "key": key, **_content(value, flag, segment), **place.members()}
    if sensitive is not None:
        operation["sensitive"] = sensitive
    _change(operation, intent, api)


def delete(key: Key, *, place: Place, intent: Intent, api: Api) -> None:
    """Take KEY away from one scope; what a less specific scope says shows again."""
    _change({"op": "delete", "key": key, **place.members()}, intent, api)


def list_(
    prefix: Annotated[str, typer.Argument(help="Only keys that begin with this.")] = "",
    *,
    app: OfApp = None,
    environment: OfEnvironment = None,
    api: Api,
) -> None:
    """List the entries as they stand in their scopes."""
    items = api.pages("/api/v1/configs", app_id=app, environment=environment, prefix=prefix or None)
    api.show(items, _show_configs)


def changes(*, app: OfApp = None, limit: Limit = 20, api: Api) -> None:
    """List the latest changes: revision, time, author, message."""
    items = api.get("/api/v1/changes", app_id=app, limit=limit)["items"]
    api.show(items, _show_changes)


def agents(*, app: OfApp = None, environment: OfEnvironment = None, api: Api) -> None:
    """List the live agents and the revision that each has applied."""
    items = api.pages("/api/v1/agents", app_id=app, environment=environment)
    api.show(items, _show_agents)


def health(
    *,
    url: Url = DEFAULT_URL,
    ready: Annotated[bool, typer.Option("--ready", help="Whether it can take requests, not only runs.")] = False,
) -> None:
    """Say whether a control plane is healthy; the exit code is 0 if so. For containers without curl."""
    with calling(url, "") as client:
        client.get("/readyz" if ready else "/healthz")
    show("ready" if ready else "healthy")


_COMMANDS: tuple[Callable[..., None], ...] = (get, put, delete, list_, changes, agents, health)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in _COMMANDS:
        app.command(command.__name__.rstrip("_"), rich_help_panel=_PANEL)(spread(command))


def _content(value: str | None, flag: str | None, segment: str | None) -> Json:
    given = {"value": value, "flag": flag, "segment": segment}
    names = [name for name, text in given.items() if text is not None]
    if len(names) != 1:
        fail("give one of VALUE, --flag FILE and --segment FILE", EXIT_USAGE)
    text = given[names[0]] or ""
    return {names[0]: read_value(text) if names[0] == "value" else read_document(text)}


def _change(operation: Json, intent: Intent, api: Api) -> None:
    api.show(api.post("/api/v1/changes", {"operations": [operation], **intent.members()}), show_receipt)


def _show_configs(items: Json) -> None:
    rows = [[each["scope"], place(each), each["key"], f"v{each['version']}", brief_config(each)] for each in items]
    show_table(["scope", "of", "key", "version", "value"], rows)


def _show_changes(items: Json) -> None:
    rows = [[str(each["revision"]), each["committed_at"], each["author"], each["message"]] for each in items]
    show_table(["revision", "committed", "author", "message"], rows)


def _show_agents(items: Json) -> None:
    rows = [
        [
            place(each),
            each["instance"],
            each["state"],
            each["transport"],
            str(each["revision"]),
            "; ".join(_remarks(each)),
        ]
        for each in items
    ]
    show_table(["of", "instance", "state", "transport", "revision", "remarks"], rows)


def _remarks(agent: Json) -> Iterator[str]:
    """What somebody should look at. Members are missing where the control plane is older than this command."""
    if rejection := agent.get("rejection"):
        yield f"rejects {rejection['revision']}"
    if unsupported := agent.get("unsupported"):
        more = f" and {len(unsupported) - 1} more" if len(unsupported) > 1 else ""
        yield f"does not understand {unsupported[0]['key']}{more}"
    yield from (f"{each['kind']} {each['about']}: {each['detail']}" for each in agent.get("remarks", ()))
    if (skew := agent.get("clock_skew")) and skew["suspicious"]:
        yield f"clock {abs(skew['seconds']):.1f} s {'ahead' if skew['seconds'] > 0 else 'behind'}"

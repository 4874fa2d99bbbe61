"""The client commands: read and change configs, look at changes and at the fleet."""

from collections.abc import Callable
from typing import Annotated

import typer

from control_plane.cli.calling import calling, scope_of
from control_plane.cli.options import (
    DEFAULT_URL,
    App,
    AsJson,
    DryRun,
    Environment,
    Limit,
    Message,
    OneApp,
    OneEnvironment,
    Token,
    Url,
)
from control_plane.cli.terminal import fail, show, show_json, show_table
from control_plane.cli.values import brief_config, place, plain, read_value
from shared.wire.codec import Json

_PANEL = "Configs (clients of the API)"


def get(
    key: Annotated[str, typer.Argument(help="The config's key.")],
    *,
    app: OneApp,
    environment: OneEnvironment,
    url: Url = DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """Print the effective value of KEY for an application in an environment.

    With --json also where it comes from.
    """
    with calling(url, token) as client:
        answer = client.post("/api/v1/configs/fetch", {"app_id": app, "environment": environment, "keys": [key]})
    found = answer["configs"].get(key)
    if found is None:
        fail(f"{app}/{environment} has no config {key!r}")
    if json:
        show_json(found)
    else:
        show(plain(found["value"]))


def put(
    key: Annotated[str, typer.Argument(help="The config's key.")],
    value: Annotated[str, typer.Argument(help="JSON, or a text as it is. `-` or `@FILE` reads it from there.")],
    *,
    app: App = None,
    environment: Environment = None,
    message: Message = "",
    sensitive: Annotated[bool | None, typer.Option("--sensitive/--not-sensitive", help="Never show it.")] = None,
    dry_run: DryRun = False,
    url: Url = DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """Give KEY a value: globally, for an application, or in one of its environments.

    Example: `trimtab put payments.timeout_ms 1200 --app checkout --env prod -m "Bank is slow"`
    """
    operation = {"op": "put", "key": key, "value": read_value(value), **scope_of(app, environment)}
    if sensitive is not None:
        operation["sensitive"] = sensitive
    _change(url, token, operation, message=message, dry_run=dry_run, json=json)


def delete(
    key: Annotated[str, typer.Argument(help="The config's key.")],
    *,
    app: App = None,
    environment: Environment = None,
    message: Message = "",
    dry_run: DryRun = False,
    url: Url = DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """Take KEY away from one scope; what a less specific scope says shows again."""
    operation = {"op": "delete", "key": key, **scope_of(app, environment)}
    _change(url, token, operation, message=message, dry_run=dry_run, json=json)


def list_(
    prefix: Annotated[str, typer.Argument(help="Only keys that begin with this.")] = "",
    *,
    app: Annotated[str | None, typer.Option(help="Only entries of this application.")] = None,
    environment: Annotated[str | None, typer.Option("--env", help="Only entries of this environment.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """List the entries as they stand in their scopes."""
    with calling(url, token) as client:
        query = {"app_id": app, "environment": environment, "prefix": prefix or None}
        items = list(client.pages("/api/v1/configs", query))
    if json:
        show_json(items)
        return
    rows = [[each["scope"], place(each), each["key"], f"v{each['version']}", brief_config(each)] for each in items]
    show_table(["scope", "of", "key", "version", "value"], rows)


def changes(
    *,
    app: Annotated[str | None, typer.Option(help="Only changes that touched this application.")] = None,
    limit: Limit = 20,
    url: Url = DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """List the latest changes: revision, time, author, message."""
    with calling(url, token) as client:
        items = client.get("/api/v1/changes", {"app_id": app, "limit": limit})["items"]
    if json:
        show_json(items)
        return
    rows = [[str(each["revision"]), each["committed_at"], each["author"], each["message"]] for each in items]
    show_table(["revision", "committed", "author", "message"], rows)


def agents(
    *,
    app: Annotated[str | None, typer.Option(help="Only agents of this application.")] = None,
    environment: Annotated[str | None, typer.Option("--env", help="Only agents of this environment.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """List the live agents and the revision that each has applied."""
    with calling(url, token) as client:
        items = list(client.pages("/api/v1/agents", {"app_id": app, "environment": environment}))
    if json:
        show_json(items)
        return
    rows = [[place(each), each["instance"], each["state"], each["transport"], str(each["revision"])] for each in items]
    show_table(["of", "instance", "state", "transport", "revision"], rows)


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
        app.command(command.__name__.rstrip("_"), rich_help_panel=_PANEL)(command)


def _change(url: str, token: str, operation: Json, *, message: str, dry_run: bool, json: bool) -> None:
    document = {"message": message, "operations": [operation], "dry_run": dry_run}
    with calling(url, token) as client:
        answer = client.post("/api/v1/changes", document)
    if json:
        show_json(answer)
    elif dry_run:
        show(f"would be revision {answer['revision']}; nothing was changed")
    else:
        show(f"revision {answer['revision']}")

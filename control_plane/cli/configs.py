"""The client commands: read and change configs, look at changes and at the fleet."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli.client import Client, ClientError
from control_plane.cli.terminal import EXIT_USAGE, fail, show, show_json, show_table
from shared.wire.codec import Json, MalformedJsonError, decode, encode

_PANEL = "Configs (clients of the API)"

Url = Annotated[str, typer.Option(envvar="TRIMTAB_URL", help="Where the control plane is.")]
Token = Annotated[str, typer.Option(envvar="TRIMTAB_TOKEN", help="The operator's token.", show_default=False)]
App = Annotated[str | None, typer.Option(help="The application. Without it: the global scope.")]
Environment = Annotated[str | None, typer.Option("--env", help="The environment of the application.")]
OneApp = Annotated[str, typer.Option("--app", envvar="TRIMTAB_APP", help="The application.")]
OneEnvironment = Annotated[str, typer.Option("--env", envvar="TRIMTAB_ENVIRONMENT", help="Its environment.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Message = Annotated[str, typer.Option("--message", "-m", help="Why; it is kept with the change.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check it and say what would happen; change nothing.")]
Limit = Annotated[int, typer.Option(min=1, help="How many.")]

_DEFAULT_URL = "http://127.0.0.1:8080"


def get(
    key: Annotated[str, typer.Argument(help="The config's key.")],
    *,
    app: OneApp,
    environment: OneEnvironment,
    url: Url = _DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """Print the effective value of KEY for an application in an environment.

    With --json also where it comes from.
    """
    with _client(url, token) as client:
        answer = client.post("/api/v1/configs/fetch", {"app_id": app, "environment": environment, "keys": [key]})
    found = answer["configs"].get(key)
    if found is None:
        fail(f"{app}/{environment} has no config {key!r}")
    if json:
        show_json(found)
    else:
        show(_text(found["value"]))


def put(
    key: Annotated[str, typer.Argument(help="The config's key.")],
    value: Annotated[str, typer.Argument(help="JSON, or a text as it is. `-` or `@FILE` reads it from there.")],
    *,
    app: App = None,
    environment: Environment = None,
    message: Message = "",
    sensitive: Annotated[bool | None, typer.Option("--sensitive/--not-sensitive", help="Never show it.")] = None,
    dry_run: DryRun = False,
    url: Url = _DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """Give KEY a value: globally, for an application, or in one of its environments.

    Example: `trimtab put payments.timeout_ms 1200 --app checkout --env prod -m "Bank is slow"`
    """
    operation = {"op": "put", "key": key, "value": _value(value)}
    if sensitive is not None:
        operation["sensitive"] = sensitive
    _change(Client(url, token), operation, app, environment, message, dry_run=dry_run, json=json)


def delete(
    key: Annotated[str, typer.Argument(help="The config's key.")],
    *,
    app: App = None,
    environment: Environment = None,
    message: Message = "",
    dry_run: DryRun = False,
    url: Url = _DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """Take KEY away from one scope; what a less specific scope says shows again."""
    _change(Client(url, token), {"op": "delete", "key": key}, app, environment, message, dry_run=dry_run, json=json)


def list_(
    prefix: Annotated[str, typer.Argument(help="Only keys that begin with this.")] = "",
    *,
    app: Annotated[str | None, typer.Option(help="Only entries of this application.")] = None,
    environment: Annotated[str | None, typer.Option("--env", help="Only entries of this environment.")] = None,
    url: Url = _DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """List the entries as they stand in their scopes."""
    with _client(url, token) as client:
        query = {"app_id": app, "environment": environment, "prefix": prefix or None}
        items = list(client.pages("/api/v1/configs", query))
    if json:
        show_json(items)
        return
    rows = [[each["scope"], _place(each), each["key"], f"v{each['version']}", _brief(each)] for each in items]
    show_table(["scope", "of", "key", "version", "value"], rows)


def changes(
    *,
    app: Annotated[str | None, typer.Option(help="Only changes that touched this application.")] = None,
    limit: Limit = 20,
    url: Url = _DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """List the latest changes: revision, time, author, message."""
    with _client(url, token) as client:
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
    url: Url = _DEFAULT_URL,
    token: Token = "",
    json: AsJson = False,
) -> None:
    """List the live agents and the revision that each has applied."""
    with _client(url, token) as client:
        items = list(client.pages("/api/v1/agents", {"app_id": app, "environment": environment}))
    if json:
        show_json(items)
        return
    rows = [[_place(each), each["instance"], each["state"], each["transport"], str(each["revision"])] for each in items]
    show_table(["of", "instance", "state", "transport", "revision"], rows)


def health(
    *,
    url: Url = _DEFAULT_URL,
    ready: Annotated[bool, typer.Option("--ready", help="Whether it can take requests, not only runs.")] = False,
) -> None:
    """Say whether a control plane is healthy; the exit code is 0 if so. For containers without curl."""
    with _client(url, "") as client:
        client.get("/readyz" if ready else "/healthz")
    show("ready" if ready else "healthy")


_COMMANDS: tuple[Callable[..., None], ...] = (get, put, delete, list_, changes, agents, health)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in _COMMANDS:
        app.command(command.__name__.rstrip("_"), rich_help_panel=_PANEL)(command)


@contextmanager
def _client(url: str, token: str) -> Iterator[Client]:
    try:
        yield Client(url, token)
    except ClientError as error:
        fail(str(error))


def _change(
    client: Client,
    operation: Json,
    app: str | None,
    environment: str | None,
    message: str,
    *,
    dry_run: bool,
    json: bool,
) -> None:
    if environment is not None and app is None:
        fail("an environment belongs to an application: give --app as well", EXIT_USAGE)
    operation |= {"app_id": app, "environment": environment}
    document = {"message": message, "operations": [operation], "dry_run": dry_run}
    with _client(client.url, client.token):
        answer = client.post("/api/v1/changes", document)
    if json:
        show_json(answer)
    elif dry_run:
        show(f"would be revision {answer['revision']}; nothing was changed")
    else:
        show(f"revision {answer['revision']}")


def _value(text: str) -> Json:
    if text == "-":
        text = typer.get_text_stream("stdin").read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            fail(f"{text[1:]} cannot be read: {error}", EXIT_USAGE)
    try:
        return decode(text)
    except MalformedJsonError:
        return text


def _text(value: Json) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _place(config: Json) -> str:
    return "/".join(part for part in (config.get("app_id"), config.get("environment")) if part) or "-"


def _brief(config: Json) -> str:
    if config.get("sensitive"):
        return "(sensitive)"
    if config.get("kind", "value") == "mask":
        return "(masked)"
    text = encode(config.get("value")).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - what fits beside the other columns

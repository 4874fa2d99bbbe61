"""`trimtab search`, `unused` and `apps`: find configs, see which nobody reads, and put away what is no longer needed."""

import sys
from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.options import Limit, Message
from control_plane.cli.spread import command, spread
from control_plane.cli.terminal import EXIT_USAGE, fail, show, show_table, tell
from control_plane.cli.values import moment, place
from shared.domain.codec import Json

_APPS = "/api/v1/apps"

What = Annotated[
    str, typer.Argument(metavar="NAME", help="An application, `billing`, or an environment, `billing/prod`.")
]
Confirm = Annotated[str, typer.Option(metavar="NAME", help="NAME once more, instead of typing it when asked.")]
Archived = Annotated[bool, typer.Option("--archived", help="Also what is archived.")]
OnlyApp = Annotated[str | None, typer.Option(help="Only in this application.")]
OnlyEnvironment = Annotated[str | None, typer.Option("--env", help="Only in this environment.")]

group = typer.Typer(help="Applications and environments: list, archive, unarchive, delete.", no_args_is_help=True)


def search(
    words: Annotated[list[str], typer.Argument(help="All of them must be found, in upper or lower case.")],
    *,
    in_: Annotated[
        str | None, typer.Option("--in", help="Only there: key, value, description, owner, label; with commas.")
    ] = None,
    app: OnlyApp = None,
    environment: OnlyEnvironment = None,
    archived: Archived = False,
    limit: Limit = 100,
    api: Api,
) -> None:
    """Find configs of all applications by what stands in them. Values that are secrets are not searched.

    Example: `trimtab search pool timeout --in key,description`
    """
    query = {"in": in_, "app_id": app, "environment": environment, "include_archived": _flag(archived)}
    with api.calling() as client:
        pages = client.pages("/api/v1/search", {"q": " ".join(words), **query})
        found = [each for each, _ in zip(pages, range(limit), strict=False)]
    api.show(found, _show_found)


def unused(
    *,
    app: Annotated[str, typer.Option("--app", envvar="TRIMTAB_APP", help="The application.")],
    environment: OnlyEnvironment = None,
    days: Annotated[int, typer.Option(min=1, help="For how long nobody has read them.")] = 30,
    api: Api,
) -> None:
    """List configs that an application gets and does not read, as its agents count it, and how far that is known."""
    query = {"app_id": app, "environment": environment, "days": days}
    with api.calling() as client:
        items = list(client.pages("/api/v1/unused", query))
        coverages = client.get("/api/v1/unused", {**query, "limit": 1})["environments"]
    api.show({"environments": coverages, "items": items}, _show_unused)


@command(group, "list")
def list_apps(*, archived: Archived = False, api: Api) -> None:
    """List applications and their environments."""
    api.show(api.pages(_APPS, include_archived=_flag(archived)), _show_apps)


@command(group, "archive")
def archive(
    what: What,
    *,
    confirm: Confirm = "",
    force: Annotated[bool, typer.Option("--force", help="Although agents are live there.")] = False,
    api: Api,
) -> None:
    """Archive an application or an environment: its agents are served as ever, and nothing is written to it any more."""
    document = {"confirm": _confirmed(what, confirm, "archive"), "force": force}
    api.show(api.post(f"{_path(what)}/archive", document), lambda _: show(f"{what} is archived"))


@command(group, "unarchive")
def unarchive(what: What, *, api: Api) -> None:
    """Bring an archived application or environment back."""
    api.show(api.post(f"{_path(what)}/unarchive", None), lambda _: show(f"{what} is no longer archived"))


@command(group, "delete")
def delete(
    what: What,
    *,
    confirm: Confirm = "",
    force: Annotated[bool, typer.Option("--force", help="Although not archived, or agents are live there.")] = False,
    message: Message = "",
    api: Api,
) -> None:
    """Delete an application or an environment with its configs and its agents' tokens. What was, stays on record."""
    query = {"confirm": _confirmed(what, confirm, "delete"), "force": _flag(force), "message": message or None}
    with api.calling() as client:
        gone = client.delete(_path(what), query)
    api.show(gone, lambda _: show(_deleted(what, gone)))


@command(group, "describe")
def describe(app: Annotated[str, typer.Argument(help="The application.")], description: str, *, api: Api) -> None:
    """Give an application another description."""
    with api.calling() as client:
        answer = client.put(f"{_APPS}/{app}", {"description": description})
    api.show(answer, lambda _: show(f"{app}: {description}"))


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    for function in (search, unused):
        app.command(rich_help_panel=panel)(spread(function))
    app.add_typer(group, name="apps", rich_help_panel=panel)


def _path(what: str) -> str:
    app, slash, environment = what.partition("/")
    if not app or (slash and not environment) or "/" in environment:
        fail(f"{what!r} is neither an application nor APP/ENVIRONMENT", EXIT_USAGE)
    return f"{_APPS}/{app}/environments/{environment}" if slash else f"{_APPS}/{app}"


def _confirmed(what: str, given: str, deed: str) -> str:
    """The name, typed once more; the API compares it."""
    if not given and not sys.stdin.isatty():
        fail(f"to {deed} it, name it once more: --confirm {what}", EXIT_USAGE)
    return given or str(typer.prompt(f"Type {what} to {deed} it", err=True))


def _flag(given: bool) -> str | None:  # noqa: FBT001 - a flag is what it is about
    return "true" if given else None


def _deleted(what: str, gone: Json) -> str:
    revision = "" if gone["revision"] is None else f" by revision {gone['revision']}"
    return f"{what} is deleted: {gone['entries']} configs{revision}, {gone['agent_tokens']} agent tokens"


def _show_found(items: Json) -> None:
    rows = [[place(each), each["key"], field, around] for each in items for field, around in each["matches"].items()]
    show_table(["of", "key", "found in", "text"], rows)


def _show_unused(answer: Json) -> None:
    rows = [
        [place(each), each["key"], each["scope"], str(each["reads"]), moment(each["last_read_at"])]
        for each in answer["items"]
    ]
    show_table(["of", "key", "from", "reads", "last read"], rows)
    for each in answer["environments"]:
        for remark in _remarks(each):
            tell(f"{place(each)}: {remark}")


def _remarks(coverage: Json) -> list[str]:
    """What stands against taking the list at its word."""
    since, bulk, silent = coverage["counting_since"], coverage["bulk_reads"], coverage["agents_without_counts"]
    remarks = [f"reads are counted since {moment(since)}" if since else "no reads are counted yet"]
    if bulk:
        remarks.append(f"{bulk} reads of many configs at once: what they used is not known")
    if silent:
        remarks.append(f"{silent} live agents do not count reads: {', '.join(coverage['named'])}")
    return remarks


def _show_apps(items: Json) -> None:
    rows = [
        [
            each["app_id"] + (" (archived)" if each["archived_at"] else ""),
            " ".join(each["environments"] + [f"{name} (archived)" for name in each["archived_environments"]]),
            each["description"],
        ]
        for each in items
    ]
    show_table(["application", "environments", "description"], rows)

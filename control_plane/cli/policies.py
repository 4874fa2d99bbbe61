"""`trimtab policies`: what changes need before they are committed, by the scopes that they reach."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.policy_options import read_guards, read_seconds, read_staging, read_window
from control_plane.cli.spread import command
from control_plane.cli.terminal import fail, show, show_table
from control_plane.cli.values import brief, moment
from shared.domain.codec import Json

_PATH = "/api/v1/policies"

Name = Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and dashes.")]
group = typer.Typer(help="Policies: what changes need before they are committed.", no_args_is_help=True)


@command(group, "set")
def set_policy(
    name: Name,
    *,
    pattern: Annotated[str, typer.Option(help="Whom it is for: `global`, APP or APP/ENV; `*` for any part: `*/prod`.")],
    approvals: Annotated[int, typer.Option(min=0, help="How many others have to approve a change.")] = 0,
    approver_role: Annotated[list[str] | None, typer.Option(help="Whose approvals count. May be repeated.")] = None,
    allowed_role: Annotated[list[str] | None, typer.Option(help="Who may make changes. May be repeated.")] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CRON FOR [ZONE]",
            help='When changes may be committed: "0 9 * * MON-THU 8h Europe/Stockholm". May be repeated.',
        ),
    ] = None,
    guard: Annotated[
        list[str] | None, typer.Option(metavar="NAME=JSON", help="How strict a guard is. May be repeated.")
    ] = None,
    require_reason: Annotated[bool, typer.Option("--require-reason", help="A change needs a message.")] = False,
    expires_after: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long a change waits for its approvals: 12h, 7d.")
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="Every change goes as a rollout: `any`, or what it must have: a type of gate (bake, health, …), `bake=10m`, "
            "`first-weight=5000`, `strategy=canary`. May be repeated.",
        ),
    ] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    api: Api,
) -> None:
    """Put a policy in force, or let the one of this name say this instead: all of it.

    Example: `trimtab policies set prod --pattern "*/prod" --approvals 1`
    """
    asked = {
        "name": name,
        "pattern": pattern,
        "description": description,
        "required_approvals": approvals,
        "approver_roles": approver_role,
        "allowed_roles": allowed_role,
        "windows": [read_window(each) for each in window or ()],
        "require_reason": require_reason,
        "guards": read_guards(guard or []),
        "expires_after": None if expires_after is None else read_seconds(expires_after),
        "staging": read_staging(stage) if stage else None,
    }
    known = _find(api, name)
    with api.calling() as client:
        if known is None:
            made = client.post(_PATH, asked)
        else:
            made = client.put(f"{_PATH}/{known['id']}", asked, version=known["version"])
    api.show(made, lambda policy: show(f"{policy['name']} is in force (version {policy['version']})"))


@command(group, "list")
def list_policies(*, api: Api) -> None:
    """List the policies: for whom each is, and what it asks for."""
    api.show(api.pages(_PATH), _show_policies)


@command(group, "delete")
def delete(name: Name, *, api: Api) -> None:
    """Take a policy away."""
    known = _find(api, name)
    if known is None:
        fail(f"there is no policy {name!r}: see `trimtab policies list`")
    with api.calling() as client:
        client.delete(f"{_PATH}/{known['id']}", version=known["version"])
    show(f"{name} is no longer in force")


def _find(api: Api, name: str) -> Json:
    return next((each for each in api.pages(_PATH) if each["name"] == name), None)


def _show_policies(items: Json) -> None:
    show_table(["name", "for", "asks for"], [[each["name"], each["pattern"], _asks(each)] for each in items])


def _asks(policy: Json) -> str:
    needed = policy["required_approvals"]
    parts = [f"{needed} approval{'' if needed == 1 else 's'}"] if needed else []
    if roles := policy["approver_roles"]:
        parts.append(f"approvals of {', '.join(roles)}")
    if roles := policy["allowed_roles"]:
        parts.append(f"changes by {', '.join(roles)} only")
    parts += [f"window {_window(each)}" for each in policy["windows"]]
    if not policy["is_open"]:
        parts.append(f"closed until {moment(policy['next_opening'])}")
    if (staging := policy["staging"]) is not None:
        parts.append(f"rollouts with {', '.join(staging['gates'])}" if staging["gates"] else "rollouts")
    if policy["require_reason"]:
        parts.append("a reason")
    parts += [f"{name} {brief(setting)}" for name, setting in policy["guards"].items()]
    return "; ".join(parts) or "nothing"


def _window(window: Json) -> str:
    return f"{window['schedule']} for {window['duration'] / 3600:g}h {window['time_zone']}"

"""`trimtab rollout template`: plans with a name."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.rollout_plan import PlanOptions
from control_plane.cli.spread import command
from control_plane.cli.terminal import show, show_table
from control_plane.cli.values import brief, moment
from shared.domain.codec import Json

_PATH = "/api/v1/rollout-templates"

Name = Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and dashes.")]
group = typer.Typer(help="Plans with a name, for rollouts to be made of (`--template NAME`).", no_args_is_help=True)


@command(group, "set")
def set_template(
    name: Name,
    *,
    plan: PlanOptions,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    api: Api,
) -> None:
    """Keep a plan under a name, or put another one in its place.

    Example: `trimtab rollout template set careful --strategy canary --stage "5% bake=10m acks" --stage 100%`
    """
    document = {"plan": plan.plan(), "description": description}
    with api.calling() as client:
        kept = client.put(f"{_PATH}/{name}", document)
    api.show(kept, lambda each: show(f"{each['name']}: version {each['version']}"))


@command(group, "list")
def list_templates(*, api: Api) -> None:
    """List the templates by name."""
    api.show(api.pages(_PATH), _show_templates)


@command(group, "show")
def show_template(name: Name, *, api: Api) -> None:
    """Show one template."""
    api.show(api.get(f"{_PATH}/{name}"), _show_template)


@command(group, "delete")
def delete(name: Name, *, api: Api) -> None:
    """Forget a template. Rollouts that were made of it stay as they are."""
    with api.calling() as client:
        client.delete(f"{_PATH}/{name}")
    show(f"{name} is no longer kept")


def _show_templates(items: Json) -> None:
    rows = [[each["name"], each["description"], moment(each["updated_at"]), brief(each["plan"])] for each in items]
    show_table(["name", "description", "updated", "plan"], rows)


def _show_template(template: Json) -> None:
    show(f"{template['name']} (version {template['version']})")
    if template["description"]:
        show(f"  {template['description']}")
    show_table(["member", ""], [[name, brief(value)] for name, value in template["plan"].items()])

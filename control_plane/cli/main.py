"""The commands of `trimtab`. What a command needs is imported when it runs, so that `--help` answers at once."""

from typing import NoReturn

import typer

from control_plane.cli import (
    api_keys,
    audit,
    catalog,
    change,
    configs,
    deciding,
    dev_command,
    history,
    keys,
    logins,
    named_snapshots,
    policies,
    reviews,
    rollout_acts,
    rollout_templates,
    rollouts,
    schemas,
    servers,
    transfer,
    undo,
    users,
)

PANEL = "Changes, people, rules and records (clients of the API)"

app = typer.Typer(
    name="trimtab",
    help="Centralized configuration: a change made once reaches every instance in milliseconds.\n\n"
    "Try it: `trimtab dev` starts everything on this machine and prints what to paste next. The commands under "
    "Configs are clients of the API; they read TRIMTAB_URL and TRIMTAB_TOKEN (`. .trimtab/credentials.env` after "
    "`set -a`).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
dev_command.register(app)
servers.register(app)
app.add_typer(keys.group, name="keys", rich_help_panel="Servers")
configs.register(app)
history.register(app, "Look back and compare (clients of the API)")
undo.register(app, "Undo and carry over (clients of the API)")
catalog.register(app, "Find and tidy up (clients of the API)")
transfer.register(app, PANEL)
app.add_typer(named_snapshots.group, name="snapshots", rich_help_panel=PANEL)
deciding.register(change.group)
app.add_typer(change.group, name="change", rich_help_panel=PANEL)
rollout_acts.register(rollouts.group)
rollouts.group.add_typer(rollout_templates.group, name="template")
app.add_typer(rollouts.group, name="rollout", rich_help_panel=PANEL)
app.add_typer(policies.group, name="policies", rich_help_panel=PANEL)
app.add_typer(schemas.group, name="schemas", rich_help_panel=PANEL)
app.add_typer(reviews.group, name="reviews", rich_help_panel=PANEL)
app.add_typer(audit.group, name="audit", rich_help_panel=PANEL)
app.add_typer(api_keys.group, name="api-keys", rich_help_panel=PANEL)
logins.register(app, PANEL)
app.add_typer(users.group, name="users", rich_help_panel=PANEL)


def main() -> NoReturn:
    """Run the command line."""
    app()
    raise SystemExit(0)

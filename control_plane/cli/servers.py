"""The commands that run the control plane in production, and those that prepare its database."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from control_plane.cli.terminal import EXIT_USAGE, fail, show, show_table, tell

if TYPE_CHECKING:
    from control_plane.settings.model import Settings

# What a command needs is imported when it runs (PLC0415), so that `--help` answers at once.
# ruff: noqa: PLC0415

_PANEL = "Servers"

Listen = Annotated[
    str | None, typer.Option(help="Where to listen, `host:port` or `unix:/path`. [TRIMTAB_LISTEN]", show_default=False)
]


def control_plane(listen: Listen = None) -> None:
    """Run a replica of the control plane.

    It needs TRIMTAB_DATABASE_URL; with TRIMTAB_REDIS_URL and TRIMTAB_AMQP_URL any number of replicas can run at once.
    `trimtab settings` shows all that can be set.
    """
    settings = _settings(listen=listen)
    from control_plane.main import run
    from control_plane.starting import StartError
    from shared.runtime import logs

    logs.configure(settings.log_level, settings.log_format)
    try:
        run(settings)
    except StartError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def migrate(
    service_role: Annotated[
        str | None,
        typer.Option(help="A role of the database under which replicas run: it gets the rights that they need."),
    ] = None,
) -> None:
    """Bring the database at TRIMTAB_DATABASE_URL to the schema of this version. Safe to run at any time, by many.

    With --service-role, replicas can run under a role that owns nothing: it can add to the audit log and to the
    versions of configs, and neither change nor delete them. It is remembered for later migrations.
    """
    settings = _settings()
    from control_plane.starting import StartError
    from control_plane.upkeep import migrate_database

    try:
        done = migrate_database(settings.database_url, service_role)
    except StartError as error:
        fail(str(error))
    for name in done.applied:
        show(f"applied {name}")
    show(f"the schema is at version {done.version}")
    if service_role is not None:
        show(f"replicas can run as {service_role}")


def operator_key(
    write: Annotated[
        Path | None, typer.Option("--write", help="Write it to this file (mode 0600) instead of printing it.")
    ] = None,
) -> None:
    """Make a new bootstrap operator's token, straight in the database, and print it once.

    The one before stops working. It needs TRIMTAB_DATABASE_URL. Where TRIMTAB_BOOTSTRAP_TOKEN is set, change that
    instead: it is put in force again at every start.
    """
    settings = _settings()
    if settings.bootstrap_token:
        fail("TRIMTAB_BOOTSTRAP_TOKEN is set and would replace a new token at the next start: change it there")
    from control_plane.domain.access.role import Role
    from control_plane.domain.access.token import new_token
    from control_plane.starting import StartError
    from control_plane.upkeep import set_operator_token

    token = new_token(Role.OPERATOR)
    try:
        set_operator_token(settings.database_url, token)
    except StartError as error:
        fail(str(error))
    if write is None:
        show(token)
        tell("This is the only time it is shown. Use it as TRIMTAB_TOKEN.")
    else:
        with os.fdopen(os.open(write, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"{token}\n")


def settings() -> None:
    """Show every setting of the control plane: its variable, default and meaning."""
    from control_plane.settings.load import rows

    show_table(["variable", "default", "meaning"], [list(row) for row in rows()])


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (control_plane, migrate, operator_key, settings):
        app.command(command.__name__.replace("_", "-"), rich_help_panel=_PANEL)(command)


def _settings(listen: str | None = None) -> "Settings":
    from control_plane.settings.load import SettingsError, load_settings

    try:
        return load_settings(os.environ, listen=listen)
    except SettingsError as error:
        fail("\n  ".join(["these settings cannot be used:", *error.problems]), EXIT_USAGE)

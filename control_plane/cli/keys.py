"""The keys of the control plane itself: making them."""

import typer

from control_plane.cli.terminal import show, tell

# What a command needs is imported when it runs (PLC0415), so that `--help` answers at once.
# ruff: noqa: PLC0415


group = typer.Typer(help="Keys of the control plane itself.", no_args_is_help=True)


@group.command()
def generate() -> None:
    """Make a key-encryption key and print it once.

    Give it to every replica as TRIMTAB_ENCRYPTION_KEY, or better as a file that TRIMTAB_ENCRYPTION_KEY_FILE names.
    """
    from control_plane.key_encryption.local import new_key

    show(new_key())
    tell("Keep a copy of it apart from the database's backups: without it, nothing sensitive can be read again.")

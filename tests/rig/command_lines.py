"""Command lines as texts show them, read by the real parsers without running anything."""

import argparse
from collections.abc import Sequence

import typer.main

from agent.__main__ import _parsers
from agent.commands.parser import parse
from control_plane.cli.main import app


def agent_command(arguments: Sequence[str]) -> argparse.Namespace:
    """What `trimtab-agent` takes it for.

    Raises:
        SystemExit: it is none of its commands.
    """
    parser, commands = _parsers()
    return parse(parser, commands, arguments)


def control_plane_command(arguments: Sequence[str]) -> None:
    """Let `trimtab` read its arguments.

    Raises:
        click.ClickException: it is none of its commands.
    """
    group, rest = typer.main.get_command(app), list(arguments)
    while hasattr(group, "commands"):
        group = group.commands[rest.pop(0)]
    group.make_context("trimtab", rest).close()

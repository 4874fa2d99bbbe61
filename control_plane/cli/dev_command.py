"""`trimtab dev`: its options. What it does is in `control_plane/cli/dev/`."""

from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli.terminal import EXIT_USAGE, fail

DataDir = Annotated[Path, typer.Option(help="Where everything is kept between runs.")]
Port = Annotated[int, typer.Option(min=1, max=65_535, help="The control plane's port on 127.0.0.1.")]
AgentPort = Annotated[int, typer.Option(min=1, max=65_535, help="The agent's port on 127.0.0.1.")]
Sample = Annotated[
    bool, typer.Option("--sample-data/--no-sample-data", help="Fill a new data directory with an example installation.")
]


def dev(
    *,
    data_dir: DataDir = Path(".trimtab"),
    port: Port = 8080,
    agent_port: AgentPort = 2772,
    sample_data: Sample = True,
) -> None:
    """Start everything on this machine: PostgreSQL, the control plane and an agent. No server has to be installed.

    It keeps its data in --data-dir, fills a new one with an example installation, writes `credentials.env` there
    and prints four commands to paste. Ctrl-C stops all of it.
    """
    if port == agent_port:
        fail("--port and --agent-port must differ", EXIT_USAGE)
    from control_plane.cli.dev.run import Options, run_dev  # noqa: PLC0415 - so that `--help` answers at once

    run_dev(Options(data_dir.absolute(), port, agent_port, sample_data=sample_data))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dev", rich_help_panel="Try it")(dev)

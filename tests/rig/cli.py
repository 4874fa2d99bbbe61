"""`trimtab` as an operator runs it, against an API that this very process serves."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from typer.testing import CliRunner

from control_plane.cli.main import app
from shared.domain.codec import decode
from tests.rig.api import Api


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    output: str
    errors: str

    @property
    def document(self) -> Any:
        """The output as JSON."""
        return decode(self.output)

    @property
    def lines(self) -> list[str]:
        """The output, line by line."""
        return self.output.splitlines()


@dataclass(frozen=True)
class Cli:
    """Runs commands, by default as the operator."""

    api: Api

    async def __call__(self, *arguments: str, token: str = "", code: int = 0, stdin: str | None = None) -> Said:
        """Run a command that should end with this code."""
        environ = {"TRIMTAB_URL": self.api.url, "TRIMTAB_TOKEN": token or self.api.operator}
        run = partial(CliRunner().invoke, app, list(arguments), env=environ, input=stdin)
        ended = await anyio.to_thread.run_sync(run)
        said = Said(ended.exit_code, ended.stdout, ended.stderr)
        assert said.code == code, (arguments, said.output, said.errors, ended.exception)
        return said

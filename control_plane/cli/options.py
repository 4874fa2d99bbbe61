"""The options that many commands have, spelled and explained once."""

from typing import Annotated

import typer

DEFAULT_URL = "http://127.0.0.1:8080"

Url = Annotated[str, typer.Option(envvar="TRIMTAB_URL", help="Where the control plane is.")]
Token = Annotated[
    str,
    typer.Option(
        envvar="TRIMTAB_TOKEN",
        help="The operator's token, or an API key's; else the session of `trimtab login`.",
        show_default=False,
    ),
]
App = Annotated[str | None, typer.Option(help="The application. Without it: the global scope.")]
Environment = Annotated[str | None, typer.Option("--env", help="The environment of the application.")]
OneApp = Annotated[str, typer.Option("--app", envvar="TRIMTAB_APP", help="The application.")]
OneEnvironment = Annotated[str, typer.Option("--env", envvar="TRIMTAB_ENVIRONMENT", help="Its environment.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Message = Annotated[str, typer.Option("--message", "-m", help="Why; it is kept with the change.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check it and say what would happen; change nothing.")]
Limit = Annotated[int, typer.Option(min=1, help="How many.")]

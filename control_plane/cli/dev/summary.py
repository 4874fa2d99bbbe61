"""What `trimtab dev` prints when all of it runs: what is where, and four commands to paste."""

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from control_plane.cli.dev.installation import SAMPLE_APP
from control_plane.embedded.data_directory import DataDirectory

_SAMPLE_KEY, _SAMPLE_VALUE = "payments.timeout_ms", "1500"
_CURL = r"curl -sS -w '\n'"
_EMPTY_KEY, _EMPTY_VALUE = "greeting", '"hello"'


@dataclass(frozen=True, slots=True)
class Summary:
    """The facts that are printed."""

    url: str
    agent_url: str
    directory: DataDirectory
    credentials: Mapping[str, str]
    postgres_major: int

    def text(self) -> str:
        """The whole of it."""
        where = self.directory
        app, environment = self.credentials["TRIMTAB_APP"], self.credentials["TRIMTAB_ENVIRONMENT"]
        facts = [
            ("Control plane", f"{self.url}", f"API documentation: {self.url}/docs"),
            ("Agent", f"{self.agent_url}", f"for {app}/{environment}; its state: {self.agent_url}/status"),
            ("PostgreSQL", f"version {self.postgres_major}", f"data in {where.postgres}"),
            ("Rendered files", "json, yaml, env", str(where.rendered)),
            ("Credentials", "credentials.env", str(where.credentials)),
            ("Logs", "JSON lines", str(where.logs)),
        ]
        lines = ["", "Trimtab is running.", ""]
        lines += [f"  {name:<16}{what:<24}{more}" for name, what, more in facts]
        lines += ["", "Paste these into another terminal:", ""]
        for title, command in self.commands():
            lines += [f"  # {title}", f"  {command}", ""]
        lines.append("Ctrl-C stops everything; the data stays.")
        return "\n".join(lines)

    def commands(self) -> list[tuple[str, str]]:
        """Title and command: they work in any directory and in any shell, as they are."""
        app, environment = self.credentials["TRIMTAB_APP"], self.credentials["TRIMTAB_ENVIRONMENT"]
        key, value = (_SAMPLE_KEY, _SAMPLE_VALUE) if app == SAMPLE_APP else (_EMPTY_KEY, _EMPTY_VALUE)
        body = (
            f'{{"message": "Trying it out", "operations": [{{"op": "put", "app_id": "{app}", '
            f'"environment": "{environment}", "key": "{key}", "value": {value}}}]}}'
        )
        header = quote(f"@{self.directory.root / 'operator.header'}")
        rendered = quote(str(self.directory.rendered / "config.yaml"))
        return [
            ("1. What the application reads from its agent", f"{_CURL} {self.agent_url}/v1/values/{key}"),
            (
                "2. Change it in the control plane",
                f"{_CURL} -H {header} -H 'Content-Type: application/json' {self.url}/api/v1/changes -d '{body}'",
            ),
            ("3. The change has arrived: value, version, revision", f"{_CURL} {self.agent_url}/v1/configs/{key}"),
            ("4. So it has in the file", f"grep {key} {rendered}"),
        ]

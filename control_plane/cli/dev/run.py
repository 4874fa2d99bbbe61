"""What `trimtab dev` does, in order: check, PostgreSQL, control plane, example, agent, summary, wait, undo."""

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio import to_thread
from anyio.abc import TaskStatus

from control_plane.cli.client import Client, ClientError
from control_plane.cli.dev.agent_process import AgentProcess, wait_until_converged
from control_plane.cli.dev.credentials import read_credentials, write_credentials, write_header
from control_plane.cli.dev.encryption_key import encryption_key
from control_plane.cli.dev.installation import (
    EMPTY_APP,
    EMPTY_ENVIRONMENT,
    SAMPLE_APP,
    SAMPLE_ENVIRONMENT,
    agent_token_works,
    load_sample_data,
    prepare_agent,
)
from control_plane.cli.dev.summary import Summary
from control_plane.cli.terminal import fail, show, tell
from control_plane.domain.access.role import Role
from control_plane.domain.access.token import new_token
from control_plane.embedded.data_directory import DataDirectory, EmbeddedError
from control_plane.embedded.postgres_server import PostgresServer, embedded_postgres
from control_plane.main import running_control_plane
from control_plane.settings.load import SettingsError, load_settings
from control_plane.settings.model import Settings
from control_plane.starting import StartError, clear_errors, in_event_loop
from shared.runtime.lifecycle import wait_for_stop_signal
from shared.runtime.logs import JsonFormatter, TextFormatter

_HOST = "127.0.0.1"
_LOOK_EVERY = 0.5
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    data_dir: Path
    port: int
    agent_port: int
    sample_data: bool

    @property
    def url(self) -> str:
        """Where the control plane will be."""
        return f"http://{_HOST}:{self.port}"

    @property
    def agent_url(self) -> str:
        """Where the agent will be."""
        return f"http://{_HOST}:{self.agent_port}"


def run_dev(options: Options) -> None:
    """Run until Ctrl-C; what prevents it is told in one line."""
    directory = DataDirectory(options.data_dir)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the event loop takes both over
    try:
        _require_free(options.port, "--port")
        _require_free(options.agent_port, "--agent-port")
        with (
            clear_errors(EmbeddedError, ClientError, SettingsError),
            directory.locked(),
            embedded_postgres(directory, tell) as postgres,
            _logging(directory),
        ):
            in_event_loop(_serve, options, directory, postgres)
        tell("Stopped.")
    except StartError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None


async def _serve(options: Options, directory: DataDirectory, postgres: PostgresServer) -> None:
    known = read_credentials(directory.credentials)
    token = known.get("TRIMTAB_TOKEN") or new_token(Role.OPERATOR)
    settings = _settings(options, postgres.dsn, token, encryption_key(directory.root / "encryption.key"))
    tell("Starting the control plane")
    async with running_control_plane(settings):
        credentials = await to_thread.run_sync(_prepare, options, known, token)
        write_credentials(directory.credentials, credentials)
        write_header(directory.root / "operator.header", token)
        tell("Starting the agent")
        agent = AgentProcess(_agent_environ(options, directory, credentials), directory.log_file("agent"), _warn)
        async with agent.running():
            expected = await to_thread.run_sync(_snapshot_revision, Client(options.url, token), credentials)
            if not await wait_until_converged(options.agent_url, expected):
                _warn(f"The agent is not level yet; see {agent.log}")
            summary = Summary(options.url, options.agent_url, directory, credentials, postgres.major)
            await _wait(postgres, summary)
            tell("\nStopping")


def _settings(options: Options, dsn: str, token: str, key: str) -> Settings:
    """Limits and the like come from the environment; where things are does not: this installation is of itself."""
    mine = {"DATABASE_URL": dsn, "LISTEN": f"{_HOST}:{options.port}", "BOOTSTRAP_TOKEN": token}
    mine |= {"ENCRYPTION_KEY": key, "PLAIN_COOKIES": "true"}
    others = ("REDIS_URL", "AMQP_URL", "MIGRATE", "LOG_FORMAT")
    away = tuple(f"TRIMTAB_{name}" for name in (*mine, *others))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(away)}
    return load_settings(environ | {f"TRIMTAB_{name}": value for name, value in mine.items()}, migrate=True)


def _prepare(options: Options, known: dict[str, str], token: str) -> dict[str, str]:
    """Everything that the first run makes; later runs find it."""
    client = Client(options.url, token)
    app, environment = known.get("TRIMTAB_APP", ""), known.get("TRIMTAB_ENVIRONMENT", "")
    agent_token = known.get("TRIMTAB_AGENT_TOKEN", "")
    if not (agent_token and agent_token_works(client, app, environment, agent_token)):
        app, environment = EMPTY_APP, EMPTY_ENVIRONMENT
        if options.sample_data and not known.get("TRIMTAB_AGENT_TOKEN"):
            tell("Loading the example through the API")
            if load_sample_data(client):
                app, environment = SAMPLE_APP, SAMPLE_ENVIRONMENT
        app, environment = known.get("TRIMTAB_APP", app), known.get("TRIMTAB_ENVIRONMENT", environment)
        agent_token = prepare_agent(client, app, environment)
    return {
        "TRIMTAB_URL": options.url,
        "TRIMTAB_TOKEN": token,
        "TRIMTAB_AGENT_URL": options.agent_url,
        "TRIMTAB_AGENT_TOKEN": agent_token,
        "TRIMTAB_APP": app,
        "TRIMTAB_ENVIRONMENT": environment,
    }


def _agent_environ(options: Options, directory: DataDirectory, credentials: dict[str, str]) -> dict[str, str]:
    names = ("TRIMTAB_APP", "TRIMTAB_ENVIRONMENT", "TRIMTAB_AGENT_TOKEN")
    rendered = directory.rendered
    rendered.mkdir(mode=0o700, exist_ok=True)
    return {name: credentials[name] for name in names} | {
        "TRIMTAB_CONTROL_PLANE_URL": options.url,
        "TRIMTAB_AGENT_LISTEN": f"{_HOST}:{options.agent_port}",
        "TRIMTAB_AGENT_STATE_DIR": str(directory.agent),
        "TRIMTAB_AGENT_FILES": ",".join(str(rendered / name) for name in ("config.json", "config.yaml", "config.env")),
    }


def _snapshot_revision(client: Client, credentials: dict[str, str]) -> int:
    path = f"/api/v1/snapshots/{credentials['TRIMTAB_APP']}/{credentials['TRIMTAB_ENVIRONMENT']}"
    return int(client.get(path)["revision"])


async def _wait(postgres: PostgresServer, summary: Summary) -> None:
    """Say that all of it runs, and return when told to stop.

    Raises:
        StartError: PostgreSQL ended.
    """
    async with anyio.create_task_group() as group:
        group.start_soon(_watch, postgres)
        await group.start(_stop_when_told, group.cancel_scope)
        show(summary.text())


async def _stop_when_told(scope: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
    await wait_for_stop_signal(task_status=task_status)
    scope.cancel()


async def _watch(postgres: PostgresServer) -> None:
    while (code := postgres.process.poll()) is None:  # noqa: ASYNC110 - another process
        await anyio.sleep(_LOOK_EVERY)
    msg = f"PostgreSQL ended with status {code}: see {postgres.log}"
    raise StartError(msg)


def _require_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            msg = f"port {port} on {_HOST} cannot be used ({error.strerror}): choose another with {option}"
            raise StartError(msg) from error


@contextmanager
def _logging(directory: DataDirectory) -> Iterator[None]:
    """Everything to a file as JSON, warnings to the terminal as well."""
    file = logging.FileHandler(directory.log_file("control-plane"), encoding="utf-8")
    file.setFormatter(JsonFormatter())
    terminal = logging.StreamHandler()
    terminal.setFormatter(_Brief())
    terminal.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.handlers[:] = [file, terminal]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers.clear()
        file.close()


class _Brief(TextFormatter):
    """A line for the terminal; the traceback stands in the log."""

    def format(self, record: logging.LogRecord) -> str:
        brief = logging.makeLogRecord(record.__dict__ | {"exc_info": None, "exc_text": None})
        return super().format(brief)


def _warn(line: str) -> None:
    tell(f"! {line}")

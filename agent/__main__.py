"""`trimtab-agent`: run the agent, ask one how it is, or render the files once. Imports what a command needs, no more."""

import argparse
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.settings.load import CONFIG_VARIABLE, SettingsError, load, load_listen, unknown_variables
from agent.settings.model import Settings

EXIT_FAILED = 1
EXIT_USAGE = 2
RENDER_PATIENCE = 30.0
"""Seconds that `render --once` waits for the control plane unless told otherwise."""

_EPILOG = f"""\
settings:
  Environment variables, and a YAML file with --config or {CONFIG_VARIABLE}; the environment wins. The least:

    TRIMTAB_APP=billing TRIMTAB_ENVIRONMENT=prod \\
    TRIMTAB_CONTROL_PLANE_URL=https://trimtab.example.com TRIMTAB_AGENT_TOKEN_FILE=/run/secrets/trimtab \\
    trimtab-agent

  Then the application reads http://127.0.0.1:2772/v1/values/<key>, or files: TRIMTAB_AGENT_FILES=/run/app/config.json

exit codes:
  0 done, or healthy   1 not healthy, or not rendered   2 cannot start: the settings, the address or the state directory
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except SettingsError as error:
        for problem in error.problems:
            _say(problem)
        return EXIT_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "trimtab-agent",
        description="Follows the control plane for one application/environment and serves its configs on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, metavar="FILE", help="YAML file with settings", default=None)
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML file with settings", default=None, dest="early"
    )
    parser.set_defaults(command=_run, config=None)
    commands = parser.add_subparsers(title="commands", metavar="")
    run = commands.add_parser("run", parents=[shared], help="run the agent until SIGTERM (the default)")
    run.set_defaults(command=_run)
    for name, text in (("health", "whether the agent is alive"), ("ready", "whether the agent has what it must serve")):
        probe = commands.add_parser(name, parents=[shared], help=f"{text}: exit code 0 or 1, and one line")
        probe.add_argument("--url", help="http://host:port or unix:/path, instead of the settings' address")
        probe.set_defaults(command=_probe, path=f"/{name}z")
    render = commands.add_parser("render", parents=[shared], help="write the rendered files once, then exit")
    render.add_argument(
        "--once", action="store_true", required=True, help="the only mode; `run` keeps files up to date"
    )
    render.add_argument("--timeout", type=float, default=RENDER_PATIENCE, help="seconds to wait (default: %(default)g)")
    render.set_defaults(command=_render)
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.version:
        from agent.main import agent_version  # noqa: PLC0415

        sys.stdout.write(f"trimtab-agent {agent_version()}\n")
        return 0
    settings = _settings(options)
    with _certificates_later():
        from agent.main import run_agent  # noqa: PLC0415 - a health check does not pay for the agent's libraries

    return _finish(lambda: _in_loop(run_agent, settings))


def _render(options: argparse.Namespace) -> int:
    settings = _settings(options)
    if not settings.files:
        _say("TRIMTAB_AGENT_FILES is missing; name the files to render")
        return EXIT_USAGE
    with _certificates_later():
        from agent.main import render_once  # noqa: PLC0415

    outcome: list[tuple[bool, str]] = []

    async def once() -> None:
        outcome.append(await render_once(settings, options.timeout))

    if code := _finish(lambda: _in_loop(once)):
        return code
    rendered, detail = outcome[0]
    _say(f"rendered {detail}" if rendered else f"not rendered: {detail}")
    return 0 if rendered else EXIT_FAILED


def _probe(options: argparse.Namespace) -> int:
    from agent.local_api.client import ProbeError, ask, parse_url  # noqa: PLC0415

    try:
        listen = parse_url(options.url) if options.url else load_listen(os.environ, options.config or options.early)
        status, document = ask(listen, options.path)
    except ValueError as error:
        _say(str(error))
        return EXIT_USAGE
    except ProbeError as error:
        _say(str(error))
        return EXIT_FAILED
    if status != 200:  # noqa: PLR2004 - HTTP
        _say(f"{status}: {document.get('detail')}")
        return EXIT_FAILED
    facts = ", ".join(f"{name} {value}" for name, value in document.items() if name != "status")
    sys.stdout.write(f"{document['status']}{': ' if facts else ''}{facts}\n")
    return 0


def _settings(options: argparse.Namespace) -> Settings:
    from shared.runtime import logs  # noqa: PLC0415

    settings = load(os.environ, options.config or options.early)
    logs.configure(settings.log_level, settings.log_format)
    for warning in unknown_variables(os.environ):
        _say(f"warning: {warning}")
    return settings


@contextmanager
def _certificates_later() -> Iterator[None]:
    """Keep aiohttp from reading the machine's certificates while it is imported; `open_session` does when they are needed.

    Until then a TLS connection that forgot to would fail, never go unchecked.
    """
    before = {name: os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    os.environ.update(dict.fromkeys(before, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _in_loop(program: Callable[..., Awaitable[None]], *arguments: object) -> None:
    import anyio  # noqa: PLC0415

    # Python's own event loop: uvloop takes 2 MB and three threads of every machine, for reads that wait on sockets.
    anyio.run(program, *arguments)


def _finish(program: Callable[[], None]) -> int:
    """Run; an error that only the operator can mend is one line."""
    from agent.snapshot.last_known_good import StateInUseError  # noqa: PLC0415
    from shared.runtime.http import AddressInUseError  # noqa: PLC0415

    code = 0
    try:
        program()
    except* AddressInUseError as errors:
        cause = _first(errors).__cause__
        why = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else "somebody else is there"
        _say(f"cannot listen on {_first(errors)}: {why}; free it or set TRIMTAB_AGENT_LISTEN")
        code = EXIT_USAGE
    except* SettingsError as errors:
        _say(str(_first(errors)))
        code = EXIT_USAGE
    except* StateInUseError as errors:
        _say(f"{_first(errors)} (TRIMTAB_AGENT_STATE_DIR)")
        code = EXIT_USAGE
    return code


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _say(line: str) -> None:
    sys.stderr.write(f"trimtab-agent: {line}\n")


if __name__ == "__main__":
    sys.exit(main())

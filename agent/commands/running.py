"""`run` and `render --once`: with the agent's libraries, and with one line for what only the operator can mend."""

import argparse
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands.saying import EXIT_DONE, EXIT_FAILED, EXIT_USAGE, print_line, say
from agent.settings.flags import flags_of
from agent.settings.knobs import KNOBS
from agent.settings.load import SettingsError, config_file, load, unknown_variables
from agent.settings.model import Settings

if TYPE_CHECKING:
    from agent.life.reloading import Origin


def version(_options: argparse.Namespace) -> int:
    """Which version this is."""
    from agent.parts import agent_version  # noqa: PLC0415 - as all below: only what the command needs

    print_line(f"trimtab-agent {agent_version()}")
    return EXIT_DONE


def run(options: argparse.Namespace) -> int:
    """Be the agent until SIGTERM."""
    settings = read_settings(options)
    with certificates_later():
        from agent.main import run_agent  # noqa: PLC0415

    return finish(lambda: in_loop(run_agent, settings, origin_of(options, settings)))


def render(options: argparse.Namespace) -> int:
    """Write the files once."""
    settings = read_settings(options)
    if not settings.all_sets:
        say("TRIMTAB_AGENT_FILES is missing; name the files to render, or give --files")
        return EXIT_USAGE
    if options.dry_run:
        files, sets = (
            tuple(replace(each, dry_run=True) for each in some) for some in (settings.files, settings.file_sets)
        )
        settings = replace(settings, files=files, file_sets=sets)
    with certificates_later():
        from agent.main import render_once  # noqa: PLC0415

    outcome: list[tuple[bool, str]] = []

    async def once() -> None:
        outcome.append(await render_once(settings, options.timeout))

    if code := finish(lambda: in_loop(once)):
        return code
    rendered, detail = outcome[0]
    done = "would be rendered:" if options.dry_run else "rendered"
    say(f"{done} {detail}" if rendered else f"not rendered: {detail}")
    return EXIT_DONE if rendered else EXIT_FAILED


def origin_of(options: argparse.Namespace, settings: Settings) -> "Origin":
    """How to read the same settings again, and in which files somebody may change them."""
    from agent.life.reloading import Origin  # noqa: PLC0415

    secrets = (settings.token_file, settings.local_token_file, settings.amqp_url_file)
    sets = flags_of(options).get("file_sets") or os.environ.get(KNOBS["file_sets"].variable)
    files = (config_file(os.environ, options.config), Path(sets) if sets else None, *secrets)
    return Origin(
        lambda: load(os.environ, options.config, flags_of(options)), tuple(each for each in files if each is not None)
    )


def read_settings(options: argparse.Namespace) -> Settings:
    """The settings; logs go as they say from now on."""
    from shared.runtime import logs  # noqa: PLC0415

    settings = load(os.environ, options.config, flags_of(options))
    logs.configure(settings.log_level, settings.log_format)
    for warning in unknown_variables(os.environ):
        say(f"warning: {warning}")
    return settings


@contextmanager
def certificates_later() -> Iterator[None]:
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


def in_loop(program: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """Run in an event loop."""
    import anyio  # noqa: PLC0415

    # Python's own event loop: uvloop takes 2 MB and three threads of every machine, for reads that wait on sockets.
    anyio.run(program, *arguments)


def finish(program: Callable[[], None]) -> int:
    """Run; an error that only the operator can mend is one line."""
    from agent.snapshot.last_known_good import StateInUseError  # noqa: PLC0415
    from shared.runtime.http import AddressInUseError  # noqa: PLC0415

    code = EXIT_DONE
    try:
        program()
    except* AddressInUseError as errors:
        cause = _first(errors).__cause__
        why = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else "somebody else is there"
        say(f"cannot listen on {_first(errors)}: {why}; free it or set TRIMTAB_AGENT_LISTEN (--listen)")
        code = EXIT_USAGE
    except* SettingsError as errors:
        say(str(_first(errors)))
        code = EXIT_USAGE
    except* StateInUseError as errors:
        say(f"{_first(errors)} (TRIMTAB_AGENT_STATE_DIR, --state-dir)")
        code = EXIT_USAGE
    return code


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""`health`, `ready`, `status` and `fallback --end`: ask a running agent. They import next to nothing: orchestrators call them all the time."""

import argparse
import os

from agent.commands.saying import EXIT_DONE, EXIT_FAILED, EXIT_USAGE, print_line, say
from agent.local_api.client import ProbeError, ask, parse_url
from agent.settings.flags import flags_of
from agent.settings.load import load_listen
from shared.domain.codec import Json

_OK = 200


def probe(options: argparse.Namespace) -> int:
    """One line and an exit code: whether a probe's path answers 200."""
    status, document = _answer(options, options.path)
    if status != _OK:
        return EXIT_FAILED if document is None else _failed(f"{status}: {document.get('detail')}")
    facts = ", ".join(f"{name} {value}" for name, value in document.items() if name != "status")
    print_line(f"{document['status']}{': ' if facts else ''}{facts}")
    return EXIT_DONE


def status(options: argparse.Namespace) -> int:
    """The agent's state for people, or as the document that it is; fails if the agent is not ready."""
    code, document = _answer(options, "/status")
    if document is None:
        return EXIT_FAILED
    if code != _OK:
        return _failed(f"{code}: {document.get('detail')}")
    from agent.commands.telling import status_lines  # noqa: PLC0415 - only for people

    if options.json:
        from shared.domain.codec import encode_pretty  # noqa: PLC0415 - as above

        print_line(encode_pretty(document).decode().rstrip("\n"))
    else:
        for line in status_lines(document):
            print_line(line)
    return EXIT_DONE if document.get("ready") else EXIT_FAILED


def end_fallback(options: argparse.Namespace) -> int:
    """Have the newest snapshot shown again; fails if there was no fallback."""
    code, document = _answer(options, "/v1/fallback/end", "POST")
    if document is None:
        return EXIT_FAILED
    if code != _OK:
        return _failed(f"{code}: {document.get('detail')}")
    if not document["ended"]:
        return _failed("there is no fallback to end")
    print_line(f"ended: readers have revision {document['revision']}")
    return EXIT_DONE


class AddressError(Exception):
    """The address that was given is none."""


def _answer(options: argparse.Namespace, path: str, method: str = "GET") -> tuple[int, Json]:
    """The status and the document; (0, None), and the reason said, where nobody answers."""
    try:
        listen = parse_url(options.url) if options.url else load_listen(os.environ, options.config, flags_of(options))
    except ValueError as error:
        raise AddressError(str(error)) from error
    try:
        return ask(listen, path, method)
    except ProbeError as error:
        say(str(error))
        return 0, None


def _failed(line: str) -> int:
    say(line)
    return EXIT_FAILED


__all__ = ["EXIT_USAGE", "AddressError", "probe", "status"]

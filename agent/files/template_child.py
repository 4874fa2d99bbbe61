"""The process that renders templates: `python -m agent.files.template_child`, one request on its input, answers on its output.

A template is a program. It runs here, where it can be stopped: without our environment, within limits of time and memory
that the kernel keeps, and the agent never loads what it takes. Each answer is one line, so that of several templates the
one that does not end can be told.
"""

import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json, decode, encode

MEMORY = 512 * 1024 * 1024
"""Bytes of address space; the interpreter and the library take about a tenth of it."""

FILES = 64
"""Files that may be open at once; templates are read one after the other."""


def main() -> int:
    """Render what is asked for."""
    request = decode(sys.stdin.buffer.read())
    _limit(request["seconds"])
    try:
        from agent.files.template_language import RenderedTemplate, render  # noqa: PLC0415 - an extra, that may be missing
    except ModuleNotFoundError as error:
        why = f"{error.name} is missing; install trimtab[templates]"
        for _ in request["jobs"]:
            _answer({"error": why, "template": True, "stamps": {}})
        return 0
    for job in request["jobs"]:
        found = RenderedTemplate(job)
        try:
            _answer({"text": render(found), "sources": found.sources, "stamps": found.stamps})
        except UnrenderableError as error:
            _answer({"error": error.why, "template": error.template, "stamps": found.stamps})
        except (MemoryError, RecursionError) as error:
            what = "memory" if isinstance(error, MemoryError) else "recursion"
            _answer({"error": f"takes too much {what}", "template": True, "stamps": found.stamps})
    return 0


def _limit(seconds: float) -> None:
    """Let the kernel end us when it takes too long, whatever we are doing then, and also when nobody waits any more."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with suppress(OSError, ValueError):  # some systems know no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # there are values in it
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it answers through a pipe, and writes no file
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    with suppress(OSError):  # where memory is scarce we go first, not the agent
        Path("/proc/self/oom_score_adj").write_text("1000")


def _answer(document: Mapping[str, Json]) -> None:
    sys.stdout.buffer.write(encode(document) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())

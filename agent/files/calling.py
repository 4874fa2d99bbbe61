"""Call what a set says is to be called: a program, a signal, a POST. It never raises; what goes wrong is in the answer."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import NamedTuple

import anyio
from anyio.abc import Process

from agent.files.hooks import STAGED, Command, Hook, Post, Signal
from agent.files.occasion import Occasion
from agent.sync.results import Ending
from agent.sync.results import Hook as Kind
from shared.domain.codec import encode

MAX_OUTPUT = 2_000
"""Bytes of a program's last words that are kept."""
FLOOD = 1024 * 1024
"""Bytes after which a program is heard slowly: who serves has better things to do."""
_FLOOD_PAUSE = 0.02
_PROC = Path("/proc")
_MAX_PROCESSES = 1_000
_COMM = 15
"""Characters of a process's name that the kernel keeps."""


class Called(NamedTuple):
    """How it ended, and what to tell; also of what was done in vain. `output` are a program's last words: they may hold what it was given."""

    kind: Kind
    ending: Ending
    detail: str = ""
    output: str = ""

    @property
    def good(self) -> bool:
        """Whether it did what it was called for."""
        return self.ending is Ending.DONE


async def call(hook: Hook, occasion: Occasion) -> Called:
    """Call it."""
    match hook:
        case Command():
            return await run(hook, occasion.environ)
        case Post():
            return await _post(hook, occasion)
        case Signal():
            return await anyio.to_thread.run_sync(_signal, hook)


async def run(
    command: Command, told: Mapping[str, str], staged: Path | None = None, kind: Kind = Kind.COMMAND
) -> Called:
    """Run a program to its end. At its timeout it is killed, and all that it started with it.

    What a command leaves running when it ends by itself may be what it was called for; a check has nothing to leave.
    """
    words = [each.replace(STAGED, str(staged)) if staged is not None else each for each in command.words]
    try:
        with anyio.CancelScope(shield=True):  # whoever stops us now would leave behind what it starts
            process = await anyio.open_process(
                words, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True, env={**_environ(), **told}
            )
    except (OSError, ValueError) as error:
        return Called(kind, Ending.FAILED, f"{words[0]} cannot be run: {getattr(error, 'strerror', None) or error}")
    output = bytearray()
    try:
        with anyio.move_on_after(command.timeout):
            async with anyio.create_task_group() as group:
                group.start_soon(_listen, process, output)
                code = await process.wait()
                group.cancel_scope.cancel()  # what it left running may hold its output open
            last = output.decode(errors="replace").strip()
            if code == 0:
                return Called(kind, Ending.DONE, "", last)
            return Called(kind, Ending.FAILED, f"{words[0]} ended with {code}", last)
        last = output.decode(errors="replace").strip()
        return Called(kind, Ending.TIMED_OUT, f"{words[0]} took longer than {command.timeout:g} s", last)
    finally:
        await _end(process, all_of_it=kind is Kind.CHECK)


async def _listen(process: Process, output: bytearray) -> None:
    if process.stdout is None:
        return
    heard = 0
    async for part in process.stdout:
        output += part
        del output[:-MAX_OUTPUT]
        if (heard := heard + len(part)) > FLOOD:
            await anyio.sleep(_FLOOD_PAUSE)


async def _end(process: Process, *, all_of_it: bool) -> None:
    """Kill what has not ended, with everything that it started."""
    if all_of_it or process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with anyio.CancelScope(shield=True):
        await process.aclose()


def _environ() -> dict[str, str]:
    """Our environment without our settings: tokens are nothing for others."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}


async def _post(hook: Post, occasion: Occasion) -> Called:
    from aiohttp import ClientError, ClientSession, ClientTimeout  # noqa: PLC0415 - who posts pays for it

    body = encode(occasion.document) if hook.body else None
    headers = {"Connection": "close"} | ({"Content-Type": "application/json"} if hook.body else {})
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=hook.timeout)) as session,
            session.post(
                hook.url, data=body, headers=headers, skip_auto_headers=("Content-Type",), allow_redirects=False
            ) as answer,
        ):
            good = 200 <= answer.status < 300  # noqa: PLR2004 - HTTP
            ending = Ending.DONE if good else Ending.FAILED
            return Called(Kind.HTTP, ending, "" if good else f"{hook.url} answered {answer.status}")
    except TimeoutError:
        return Called(Kind.HTTP, Ending.TIMED_OUT, f"{hook.url} did not answer within {hook.timeout:g} s")
    except (ClientError, OSError, ValueError) as error:
        return Called(Kind.HTTP, Ending.FAILED, f"{hook.url} cannot be reached ({type(error).__name__})")


def _signal(hook: Signal) -> Called:
    """Nobody there is no failure: whoever starts later reads what is published then."""
    what = hook.pid_file if hook.pid_file is not None else hook.process
    try:
        found = [_process_id(hook.pid_file)] if hook.pid_file is not None else _named(hook.process)
        for each in found:
            os.kill(each, hook.signal)
    except (FileNotFoundError, ProcessLookupError):
        found = []
    except (OSError, ValueError) as error:
        detail = f"{hook.signal.name} cannot be sent by {what}: {getattr(error, 'strerror', None) or error}"
        return Called(Kind.SIGNAL, Ending.FAILED, detail)
    return Called(Kind.SIGNAL, Ending.DONE, "" if found else f"{hook.signal.name} found nobody by {what}")


def _process_id(file: Path) -> int:
    with file.open("rb") as opened:
        text = opened.read(32).strip()
    if not text:  # as `nginx -t` leaves it
        raise FileNotFoundError(file)
    if not text.isdigit() or int(text) in {0, os.getpid()}:
        msg = "it holds no process id"
        raise ValueError(msg)
    return int(text)


def _named(name: str) -> list[int]:
    """The processes of a name, but for our own."""
    found = []
    for each in _PROC.iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            with suppress(OSError):
                if (each / "comm").read_text().strip() == name[:_COMM]:
                    found.append(int(each.name))
    return sorted(found)[:_MAX_PROCESSES]

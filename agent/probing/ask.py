"""Ask once, and say what came back. It never raises: whatever goes wrong is an application that is not healthy."""

import os
import signal
from contextlib import suppress
from subprocess import DEVNULL
from typing import NamedTuple

import aiohttp
import anyio
from anyio.abc import Process

from agent.probing.target import CommandTarget, HttpTarget, Target, TcpTarget

_GOOD = range(200, 300)


class Reply(NamedTuple):
    """What one probe found."""

    good: bool
    detail: str


def probe_session() -> aiohttp.ClientSession:
    """A session that keeps no connection: each probe finds out whether one can be made."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1, force_close=True))


async def ask(target: Target, timeout: float, session: aiohttp.ClientSession) -> Reply:  # noqa: ASYNC109 - the probe's own
    """Ask, within so many seconds."""
    try:
        with anyio.fail_after(timeout):
            return await _ask(target, session)
    except TimeoutError:
        return Reply(good=False, detail=f"no answer within {timeout:g} s")


async def _ask(target: Target, session: aiohttp.ClientSession) -> Reply:
    match target:
        case HttpTarget(url):
            return await _http(url, session)
        case TcpTarget(host, port):
            return await _tcp(host, port)
        case CommandTarget(command):
            return await _command(command)


async def _http(url: str, session: aiohttp.ClientSession) -> Reply:
    try:
        # The body is not read: its status says it all, and a body has no end that one could rely on.
        async with session.get(url, allow_redirects=False, headers={"Connection": "close"}) as answer:
            return Reply(answer.status in _GOOD, f"HTTP status {answer.status}")
    except (aiohttp.ClientError, OSError, ValueError) as error:  # also names that cannot be one
        return Reply(good=False, detail=f"no HTTP answer ({type(error).__name__})")


async def _tcp(host: str, port: int) -> Reply:
    try:
        stream = await anyio.connect_tcp(host, port)
    except (OSError, ValueError) as error:
        return Reply(good=False, detail=f"no connection ({type(error).__name__})")
    await anyio.aclose_forcefully(stream)
    return Reply(good=True, detail="it takes connections")


async def _command(command: tuple[str, ...]) -> Reply:
    try:
        with anyio.CancelScope(shield=True):  # a timeout now would leave behind what it starts
            process = await anyio.open_process(
                command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True, env=_environ()
            )
    except OSError as error:
        return Reply(good=False, detail=f"the command cannot be run ({error.strerror})")
    try:
        code = await process.wait()
    finally:
        await _end(process)
    return Reply(code == 0, f"exit code {code}")


def _environ() -> dict[str, str]:
    """Our environment without our settings: tokens are nothing for a probe."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}


async def _end(process: Process) -> None:
    """Let nothing of it go on: neither the command nor what it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with anyio.CancelScope(shield=True):
        await process.wait()

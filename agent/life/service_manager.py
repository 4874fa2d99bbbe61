"""Tell systemd how we are (`sd_notify`): ready, reloading, stopping, and still alive. Datagrams on a unix socket, no library."""

import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

import anyio
from anyio.abc import TaskStatus

from agent.local_api.freshness import Freshness
from agent.snapshot.store import SnapshotStore
from agent.sync.remarks import Remarks
from agent.sync.status import Status
from shared.runtime.clock import Clock

STATUS_EVERY = 1.0
"""Seconds between two status lines at the least."""
LOOK_AGAIN = 0.1
"""Seconds between two looks whether the first files are there: nobody says so."""

_log = logging.getLogger(__name__)


class ServiceManager:
    """The socket of NOTIFY_SOCKET. Nothing that goes wrong with it disturbs us; without one, nothing happens."""

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        self._address, self._clock = environ.get("NOTIFY_SOCKET", ""), clock
        self._socket: socket.socket | None = None
        if self._address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self.watchdog = _watchdog(environ) if self._socket is not None else None

    @property
    def listens(self) -> bool:
        """Whether there is one."""
        return self._socket is not None

    def tell(self, *assignments: str) -> None:
        """Send one message: `READY=1`, `STATUS=…`."""
        if self._socket is None:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            self._socket.sendto("\n".join(assignments).encode(), address)
        except OSError as error:
            _log.debug("the service manager does not listen", extra={"error": str(error)})

    def reloading(self) -> None:
        """We take up other settings; `reloaded` follows."""
        self.tell(
            "RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * 1_000_000)}", "STATUS=reading settings"
        )

    def reloaded(self) -> None:
        """We are done with it."""
        self.tell("READY=1")

    def stopping(self) -> None:
        """We were told to end."""
        self.tell("STOPPING=1", "STATUS=stopping")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Telling:
    """Says READY when there is something to serve, and from then on, in one line, how the agent stands."""

    def __init__(
        self, manager: ServiceManager, store: SnapshotStore, status: Status, freshness: Freshness, remarks: Remarks
    ) -> None:
        self._manager, self._store, self._status = manager, store, status
        self._freshness, self._remarks = freshness, remarks
        self._stirred = anyio.Event()
        self._ready = False
        self._said = ""

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Tell until cancelled."""
        with self._store.subscribe(self._stir), self._status.observe(self._stir), self._remarks.observe(self._stir):
            async with anyio.create_task_group() as group:
                if self._manager.watchdog is not None:
                    group.start_soon(self._live, self._manager.watchdog)
                task_status.started()
                while True:
                    self._stirred = anyio.Event()
                    self._tell()
                    awaited = self._store.ready and not self._ready
                    with anyio.move_on_after(LOOK_AGAIN if awaited else None):
                        await self._stirred.wait()
                    await anyio.sleep(STATUS_EVERY if self._ready else 0.0)

    async def _live(self, interval: float) -> None:
        """From the event loop itself: one that hangs is not alive."""
        while True:
            self._manager.tell("WATCHDOG=1")
            await anyio.sleep(interval)

    def _tell(self) -> None:
        unready = self._freshness.unready()
        status = unready or f"revision {self._store.current.revision}, {self._status.state}"
        loud = [each.kind for each in self._remarks.current]
        line = f"STATUS={status}{'; remarks: ' + ', '.join(dict.fromkeys(loud)) if loud else ''}"
        if not unready and not self._ready:
            self._ready = True
            self._manager.tell("READY=1", line)
        elif line != self._said:
            self._manager.tell(line)
        self._said = line

    def _stir(self, *_: object) -> None:
        self._stirred.set()


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life: half of what the service manager waits; None if it does not."""
    with suppress(ValueError):
        if int(environ.get("WATCHDOG_PID") or os.getpid()) == os.getpid():
            microseconds = int(environ.get("WATCHDOG_USEC", ""))
            return microseconds / 2_000_000 if microseconds > 0 else None
    return None

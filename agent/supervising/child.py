"""The application's process: in a group of its own, with our terminal if we have one, and gone when we are.

Everything here happens in the main thread: the kernel ties a child to the thread that started it, and whoever takes in
a child's end must not race with whoever signals it.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio

_PR_SET_PDEATHSIG = 1
_STDIN = 0
_INIT = 1


class Child:
    """One running process. `noticed` is told by whoever hears SIGCHLD."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Start it.

        Raises:
            OSError: it cannot be started.
        """
        self._terminal = _our_terminal()
        self._ended = anyio.Event()
        self._process = subprocess.Popen(  # noqa: S603 - the command is what we were told to run
            command,
            env=dict(variables),
            stdin=None,
            preexec_fn=_Before(os.getpid(), terminal=self._terminal),  # noqa: PLW1509 - it only makes system calls
        )

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group as well."""
        return self._process.pid

    @property
    def code(self) -> int:
        """As a shell tells it: 128 and the signal's number for a process that was ended by one."""
        found = self._process.returncode
        return found if found >= 0 else 128 - found

    def noticed(self) -> None:
        """Some child of ours ended or stopped: see whether it was this one."""
        if self._ended.is_set():
            return
        if self._process.poll() is None:
            self._stop_with_it()
            return
        self.signal_group(signal.SIGKILL)  # what it started does not outlive it
        if self._terminal:
            give_terminal(os.getpgrp())
        self._ended.set()

    def continued(self) -> None:
        """We go on after we were stopped: the command does as well, with the terminal if it is ours again."""
        if self._terminal and os.tcgetpgrp(_STDIN) == os.getpgrp():
            give_terminal(self.pid)
        self.signal_group(signal.SIGCONT)

    async def ended(self) -> None:
        """Return when it is gone."""
        self.noticed()
        await self._ended.wait()

    def signal(self, number: int) -> None:
        """Signal the process, if it is still there."""
        if not self._ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def signal_group(self, number: int) -> None:
        """Signal it and what it started, so far as that stayed with it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def stop(self, first: int, patience: float) -> None:
        """Ask it to end, and kill it after so many seconds."""
        self.signal(first)
        self.signal(signal.SIGCONT)  # who sleeps hears nothing
        with anyio.move_on_after(patience):
            await self.ended()
            return
        await self.kill()

    async def kill(self) -> None:
        """End it and what it started at once."""
        self.signal_group(signal.SIGKILL)
        await self.ended()

    def _stop_with_it(self) -> None:
        """Somebody at the terminal stopped the command (Ctrl-Z): stop as well, so that their shell is back."""
        if not self._terminal or os.getppid() == _INIT:
            return
        if os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG) is not None:
            give_terminal(os.getpgrp())
            os.kill(os.getpid(), signal.SIGSTOP)


def give_terminal(group: int) -> None:
    """Make a group the one that the terminal's keys speak to."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or we would be stopped for asking from the background
    try:
        with suppress(OSError):
            os.tcsetpgrp(_STDIN, group)
    finally:
        signal.signal(signal.SIGTTOU, before)


def _our_terminal() -> bool:
    """Whether there is a terminal that speaks to us."""
    try:
        return os.isatty(_STDIN) and os.tcgetpgrp(_STDIN) == os.getpgrp()
    except OSError:
        return False


class _Before:
    """Runs in the child between fork and exec."""

    def __init__(self, parent: int, *, terminal: bool) -> None:
        self._parent, self._terminal = parent, terminal
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def __call__(self) -> None:
        os.setpgid(0, 0)
        if self._terminal:
            give_terminal(os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        if self._libc is None:
            return
        self._libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != self._parent:  # it died while we were on the way
            os._exit(1)

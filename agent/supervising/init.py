"""Pid 1 of a container: takes in every process that ended, hands on signals, and is gone when the agent is.

It is a process of its own: the agent must not take in the ends of processes that other parts of it wait for. It begins
anew as a program of one small file, so that it holds none of the agent's libraries in memory.
"""

import os
import signal
import sys
from contextlib import suppress

_PID_1 = 1
_BY_SIGNAL = 128
_KERNELS_OWN = {int(signal.SIGKILL), int(signal.SIGSTOP)}


def be_init_if_first() -> None:
    """Return in the process that becomes the agent; as pid 1, another one stays behind and never returns."""
    if os.getpid() == _PID_1:
        become_init()


def become_init() -> None:
    """Fork: return in the child, and look after it and all orphans in the parent, until it ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _everything())
    if (agent := os.fork()) == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    with suppress(OSError):  # signals that come meanwhile wait: what is blocked stays so
        os.execv(sys.executable, [sys.executable, "-I", "-S", __file__, str(agent)])  # noqa: S606 - this very file
    look_after(agent)


def look_after(agent: int) -> None:
    """Be the parent of all, until the agent ends; then end with its code."""
    everything = _everything()
    while True:
        if (code := _take_in(agent)) is not None:
            os._exit(code)
        number = signal.sigwait(everything)
        if number != signal.SIGCHLD:
            with suppress(ProcessLookupError):
                os.kill(agent, number)


def _take_in(agent: int) -> int | None:
    """Take in all that ended; the agent's exit code once it did."""
    code = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == agent:
                found = os.waitstatus_to_exitcode(status)
                code = found if found >= 0 else _BY_SIGNAL - found
    return code


def _everything() -> set[int]:
    return {int(each) for each in signal.valid_signals()} - _KERNELS_OWN


if __name__ == "__main__":
    look_after(int(sys.argv[1]))

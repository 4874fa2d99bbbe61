"""Child processes that never outlive us, not even when we are killed."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
# Where the kernel cannot tie a child to us, a shell between us holds one end of a pipe: when we are gone it reads the
# end of it and stops the child.
_GUARD = (
    "exec 3<&0; \"$@\" </dev/null 3<&- & child=$!; trap 'kill -{n} $child' TERM INT; "
    "(read -r _ <&3; kill -{n} $child) & wait $child; code=$?; while kill -0 $child 2>/dev/null; do wait $child; done; exit $code"
)


def spawn(
    command: Sequence[str],
    *,
    log: IO[bytes] | int = subprocess.DEVNULL,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    when_orphaned: signal.Signals = signal.SIGKILL,
    before_exec: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own that receives `when_orphaned` when we die, however we die.

    The kernel ties the child to the *thread* that started it: call this from the main thread. `before_exec` runs in
    the child just before the program; a change of user there must come before us, since it would untie the child.
    """
    if sys.platform != "linux":
        guard = _GUARD.format(n=int(when_orphaned))
        return subprocess.Popen(  # noqa: S603 - the callers' own programs
            ["/bin/sh", "-c", guard, "guard", *command],
            cwd=cwd,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=before_exec,  # noqa: PLW1509 - it only makes system calls
        )
    return subprocess.Popen(  # noqa: S603
        command,
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_Tie(os.getpid(), when_orphaned, before_exec),  # noqa: PLW1509
    )


class _Tie:
    """Runs in the child between fork and exec."""

    def __init__(self, parent: int, signal_: signal.Signals, before: Callable[[], None] | None) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._parent, self._signal, self._before = parent, signal_, before

    def __call__(self) -> None:
        if self._before is not None:
            self._before()
        self._libc.prctl(_PR_SET_PDEATHSIG, int(self._signal), 0, 0, 0)
        if os.getppid() != self._parent:  # it died while we were on the way
            os.kill(os.getpid(), signal.SIGKILL)


def stop(child: subprocess.Popen[bytes], first: signal.Signals, patience: float) -> int:
    """Ask the child to end; kill it after `patience` seconds. Returns its exit code."""
    if child.poll() is None:
        child.send_signal(first)
    try:
        return child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()

"""Install a server's Debian package, where we may."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.server import ServerError

_POLICY = Path("/usr/sbin/policy-rc.d")
_APT_SECONDS = 300.0


def can_install() -> bool:
    """Whether this is Debian or one of its descendants, and we are root."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(package: str) -> None:
    """Install one package without starting the service that comes with it.

    Raises:
        ServerError: apt-get failed.
    """
    sys.stderr.write(f"installing Debian's {package} for the tests ...\n")
    sys.stderr.flush()
    with _alone():
        own_policy = not _POLICY.exists()
        if own_policy:
            _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
            _POLICY.chmod(0o755)
        try:
            _apt_get("update")
            _apt_get("install", "--yes", "--no-install-recommends", package)
        finally:
            if own_policy:
                _POLICY.unlink()


@contextmanager
def _alone() -> Iterator[None]:
    """One process of ours at a time: an update does not wait for another one's lock, it fails."""
    with (Path(tempfile.gettempdir()) / f"trimtab-tests-apt-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _apt_get(*arguments: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments],  # noqa: S607 - the system's own
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"apt-get {arguments[0]} took longer than {_APT_SECONDS:.0f} s"
        raise ServerError(msg) from error
    if done.returncode:
        msg = f"apt-get {arguments[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-1000:]}"
        raise ServerError(msg)

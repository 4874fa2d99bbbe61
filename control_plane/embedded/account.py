"""As whom the embedded PostgreSQL runs.

PostgreSQL refuses to run as root. Started by root, it runs as the owner of its data directory, or for a new one as
`nobody`. That user may not be able to reach the data directory or the program: `/root` lets nobody pass, and a file
made under a strict umask cannot be executed by others. We don't change the mode of anything that is not ours, and
don't add users. Instead the child, and nothing else, gets one ambient capability before it drops root:
CAP_DAC_READ_SEARCH (pass through directories, read files) where that is enough and we have it, else
CAP_DAC_OVERRIDE. It is given only where a look at the modes says that it is needed.

PostgreSQL looks for its own program with access(2), for which the kernel ignores the capabilities of a user who is not
root, unless the process has the securebit "no setuid fixup". So the child sets that as well (it needs CAP_SETPCAP).
"""

import ctypes
import os
import pwd
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from control_plane.embedded.data_directory import EmbeddedError

_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_SETPCAP = 1, 2, 8
_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_PR_GET_SECUREBITS, _PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 27, 28, 4
_CAPABILITY_VERSION_3 = 0x20080522
_READ, _EXECUTE = 0o4, 0o1
"""Bits of a mode; to execute a directory is to pass it."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user to become, and the capability to take along (None: none is needed)."""

    uid: int
    gid: int
    capability: int | None = None

    @property
    def is_ours(self) -> bool:
        """Whether we are this user already."""
        return self.uid == os.geteuid()

    def own(self, path: Path) -> None:
        """Hand a file or directory of ours to the account."""
        if self.is_ours:
            return
        try:
            os.chown(path, self.uid, self.gid)
        except OSError as error:
            msg = f"{path} cannot be given to user {_name(self.uid)} ({error.strerror}): start as an ordinary user"
            raise EmbeddedError(msg) from error

    def become(self) -> Callable[[], None] | None:
        """What a child has to run before the program; None where nothing has to change."""
        return None if self.is_ours else _Become(self)


def server_account(data: Path, programs: Iterable[Path]) -> Account:
    """As whom the server for the data directory `data` runs.

    Raises:
        EmbeddedError: the data directory is somebody else's, or cannot be reached by that user.
    """
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            msg = f"{data} belongs to user {_name(owner.st_uid)}: run as that user, or choose another with --data-dir"
            raise EmbeddedError(msg)
        return Account(os.geteuid(), os.getegid())
    if owner is not None and owner.st_uid == 0:
        msg = f"{data} belongs to root, as whom PostgreSQL does not run: choose another directory with --data-dir"
        raise EmbeddedError(msg)
    nobody = pwd.getpwnam("nobody")
    uid, gid = (owner.st_uid, owner.st_gid) if owner else (nobody.pw_uid, nobody.pw_gid)
    return Account(uid, gid, _needed(uid, gid, data, programs))


def _needed(uid: int, gid: int, data: Path, programs: Iterable[Path]) -> int | None:
    files = [each.resolve() for each in programs]
    executable = all(_may(each, uid, gid, _EXECUTE) for each in files)
    found = executable and all(_passes(each, uid, gid) for each in files)
    if found and _passes(data.resolve(), uid, gid) and all(_may(each, uid, gid, _READ) for each in files):
        return None
    wanted = (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if executable else (_CAP_DAC_OVERRIDE,)
    permitted = _permitted()
    if found or permitted >> _CAP_SETPCAP & 1:
        for capability in wanted:
            if permitted >> capability & 1:
                return capability
    remedy = "choose one below /var/tmp with --data-dir" if found else "install Trimtab where everybody can read it"
    msg = (
        f"PostgreSQL would run as user {_name(uid)}, who cannot reach {data if found else files[0].parent}: "
        f"{remedy}, or start as an ordinary user"
    )
    raise EmbeddedError(msg)


def _passes(path: Path, uid: int, gid: int) -> bool:
    """Whether the user can pass all directories above `path`."""
    return all(_may(parent, uid, gid, _EXECUTE) for parent in path.parents)


def _may(path: Path, uid: int, gid: int, bit: int) -> bool:
    """Whether the mode of `path` lets the user do what `bit` stands for."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return True  # ours to create
    shift = 6 if found.st_uid == uid else 3 if found.st_gid == gid else 0
    return bool(stat.S_IMODE(found.st_mode) >> shift & bit)


def _permitted() -> int:
    """The capabilities that we may hand on."""
    if sys.platform != "linux":
        return 0
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("CapPrm:")[2].split()[0], 16)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class _Become:
    """Runs in the child between fork and exec; prepared before, so that it only makes system calls."""

    def __init__(self, account: Account) -> None:
        self._account = account
        if account.capability is None:
            return
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._may_set_bits = bool(_permitted() >> _CAP_SETPCAP & 1)
        bit = 1 << account.capability
        # Two words for 64 capabilities, each effective, permitted and inheritable.
        self._header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        self._sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)

    def __call__(self) -> None:
        capability = self._account.capability
        if capability is not None:
            self._keep_capabilities()
        os.setgroups([])
        os.setgid(self._account.gid)
        os.setuid(self._account.uid)
        if capability is not None:
            self._check(self._libc.capset(self._header, self._sets))
            self._check(self._libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0))

    def _keep_capabilities(self) -> None:
        """Over the change of user; all but the one are dropped after it."""
        if self._may_set_bits:
            bits = self._libc.prctl(_PR_GET_SECUREBITS, 0, 0, 0, 0) | _SECBIT_NO_SETUID_FIXUP
            self._check(self._libc.prctl(_PR_SET_SECUREBITS, bits, 0, 0, 0))
        else:
            self._check(self._libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))

    def _check(self, result: int) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

"""Hashing of passwords, beside the event loop and a few at a time: each takes much memory, and takes long by design."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from control_plane.domain.errors import UnavailableError
from control_plane.domain.people.password import normalised

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

AT_ONCE = 2
WAITING = 32
"""More than that is a flood, and is sent away rather than kept waiting."""
MEMORY_KIB = 64 * 1024
PASSES = 2
_DUMMY = "nobody's password"
_NAME = "password hashing"


class Passwords:
    """Argon2id. A hash says by which parameters it was made, so they can be raised later."""

    def __init__(self, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1, type=Type.ID)
        self._limiter: CapacityLimiter | None = None
        self._waiting = 0
        self._dummy = ""

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        return await self._run(self._hasher.hash, normalised(password))

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password of this hash. Where there is none it takes as long, and is not."""
        if hashed is None:
            self._dummy = self._dummy or await self.hash(_DUMMY)
            await self._run(self._matches, self._dummy, normalised(password))
            return False
        return await self._run(self._matches, hashed, normalised(password))

    def is_old(self, hashed: str) -> bool:
        """Whether it was made by other parameters than those of today."""
        return self._hasher.check_needs_rehash(hashed)

    async def warm(self) -> None:
        """Make the dummy, so that the first unknown name takes no longer than the others."""
        self._dummy = self._dummy or await self.hash(_DUMMY)

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
        if self._limiter is None:
            self._limiter = CapacityLimiter(AT_ONCE)
        if self._waiting >= WAITING:
            raise UnavailableError(_NAME, "too many at once", retry_after=2)
        self._waiting += 1
        try:
            return await to_thread.run_sync(work, *arguments, limiter=self._limiter)
        finally:
            self._waiting -= 1

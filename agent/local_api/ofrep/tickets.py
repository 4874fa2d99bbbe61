"""Tickets for event streams: a browser cannot send a token with one, so it goes into the address, signed and for a while."""

import hashlib
import hmac

from shared.runtime.clock import Clock

PERIOD = 1_800
"""Seconds for which the same ticket is given out, so that addresses stay the same; it is good for as long again after that."""


class Tickets:
    """Signs with the local token, so that tickets outlive a restart; an agent without one needs none."""

    def __init__(self, local_token: str, clock: Clock) -> None:
        self._key = local_token.encode()
        self._clock = clock

    @property
    def needed(self) -> bool:
        """Whether a stream is for those only who have a ticket or the token."""
        return bool(self._key)

    def current(self) -> str:
        """The ticket to give out now; empty where none is needed."""
        if not self._key:
            return ""
        return self._signed((self._now // PERIOD + 2) * PERIOD)

    def admits(self, ticket: str) -> bool:
        """Whether a ticket is ours and still good."""
        until, _, _ = ticket.partition(".")
        if not until.isascii() or not until.isdecimal() or len(until) > len("253402300800"):
            return False
        return self._now < int(until) and hmac.compare_digest(
            self._signed(int(until)).encode(), ticket.encode(errors="surrogateescape")
        )

    @property
    def _now(self) -> int:
        return self._clock.now_ms() // 1000

    def _signed(self, until: int) -> str:
        code = hashlib.blake2b(str(until).encode(), digest_size=16, key=self._key[:64], person=b"ofrep stream")
        return f"{until}.{code.hexdigest()}"

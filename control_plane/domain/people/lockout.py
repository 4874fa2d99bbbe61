"""How often somebody may guess: after a few attempts each costs a wait, twice as long as the one before, up to a cap.

An attempt counts when it begins, so that many at once are no way round. While one waits nothing counts, so that nobody
is locked out for longer than the cap by others who go on knocking.
"""

from dataclasses import dataclass

_MOST_COUNTED = 64


@dataclass(frozen=True, slots=True)
class Lockout:
    """So many attempts are free; the next one waits `first` seconds. Forgotten after `forget` quiet seconds."""

    free: int
    first: float
    cap: float
    forget: float

    def wait_after(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        if failures < self.free:
            return 0.0
        return min(self.cap, self.first * 2.0 ** min(failures - self.free, _MOST_COUNTED))

    @property
    def memory(self) -> float:
        """Seconds after which failures are forgotten: never while it would pay to wait for it."""
        return max(self.forget, 2 * self.cap)


OF_AN_ACCOUNT = Lockout(free=5, first=2.0, cap=900.0, forget=3_600.0)
OF_AN_ADDRESS = Lockout(free=30, first=1.0, cap=900.0, forget=3_600.0)
"""Many people may share one address."""


@dataclass(frozen=True, slots=True)
class Guesses:
    """Failures so far, and when the last attempt was counted."""

    failures: int = 0
    last: float = 0.0


def attempt(before: Guesses, now: float, rule: Lockout) -> tuple[float, Guesses]:
    """Begin an attempt: 0 and the guesses with it, or the seconds to wait and the guesses without it.

    A clock that was set back makes nobody wait longer than the rule says.
    """
    last = min(before.last, now)
    if now - last >= rule.memory:
        before = Guesses()
    wait = last + rule.wait_after(before.failures) - now
    if wait > 0:
        return wait, Guesses(before.failures, last)
    return 0.0, Guesses(min(before.failures + 1, _MOST_COUNTED), now)

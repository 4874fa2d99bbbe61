"""How often somebody may ask: rates, and the arithmetic by which they are kept (GCRA, a leaky bucket in one number).

What is kept of somebody is only the moment at which all that they asked for so far would be paid for. Requests that come
at the rate move it on with the clock; a burst moves it ahead, until it is as far ahead as the burst is long.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address
from math import ceil
from typing import Self

_FORM = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)/([smh])(?::([0-9]{1,7}))?")
_SECONDS = {"s": 1, "m": 60, "h": 3_600}
_SLACK = 1e-3
"""What sums of fractions may be off by, in requests."""
_V6_NETWORK_BITS = 64
"""What one customer gets at least: whoever has a /64 has all of its addresses."""


class Kind(StrEnum):
    """What is counted, each with a rate of its own."""

    READS = "reads"
    WRITES = "writes"
    AGENTS = "agents"
    ADDRESSES = "addresses"
    REFUSALS = "refusals"
    LOGINS = "logins"
    LOGIN_ADDRESSES = "login-addresses"


SHARED = frozenset({Kind.READS, Kind.WRITES, Kind.LOGINS, Kind.LOGIN_ADDRESSES})
"""What replicas count together. The others are each replica's own: a fleet's requests wait for nobody's counter."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and so many at once."""

    per_second: float
    burst: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `50/s`, `30/m`, `100/h`, with `:burst` behind if it is not what ten seconds bring; `off` is None.

        Raises:
            ValueError: it is none of these.
        """
        if text == "off":
            return None
        found = _FORM.fullmatch(text)
        if found is None or not float(found[1]) or found[3] == "0":
            msg = "must be like 50/s, 30/m or 50/s:200 (200 at once), or off"
            raise ValueError(msg)
        per_second = float(found[1]) / _SECONDS[found[2]]
        return cls(per_second, int(found[3]) if found[3] else max(1, ceil(per_second * 10)))

    @property
    def interval(self) -> float:
        """Seconds between two that keep to the rate."""
        return 1 / self.per_second

    @property
    def window(self) -> int:
        """Seconds after which somebody who took all of the burst has all of it again."""
        return ceil(self.burst / self.per_second)

    @property
    def batch(self) -> int:
        """How many a replica may take from a shared counter at once: few of the burst, and soon there again."""
        return max(1, min(self.burst // 100, int(self.per_second)))


@dataclass(frozen=True, slots=True)
class Taken:
    """What a counter gave: how many, how many more there are, and in how many seconds there is one if it gave none."""

    granted: int
    remaining: int
    wait: float = 0.0


def take(paid: float, now: float, rate: Rate, upto: int) -> tuple[Taken, float]:
    """Take up to so many at `now`, where all before is paid for at `paid`; what there is, and the new `paid`.

    A clock that was set back keeps nobody waiting longer than a whole burst would.
    """
    length = rate.burst * rate.interval
    paid = min(max(paid, now), now + length)
    room = int((now + length - paid) * rate.per_second + _SLACK)
    granted = min(upto, room)
    if granted or not upto:
        return Taken(granted, room - granted), paid + granted * rate.interval
    return Taken(0, 0, max(0.0, paid - now - length + rate.interval)), paid


@lru_cache(maxsize=4_096)
def origin(address: str) -> str:
    """What counts as one address: of IPv6 the network that one customer has."""
    if ":" not in address:
        return address
    try:
        number = int(IPv6Address(address))
    except ValueError:
        return address
    return f"{IPv6Address(number >> _V6_NETWORK_BITS << _V6_NETWORK_BITS)}/{_V6_NETWORK_BITS}"

"""From where a request comes, where proxies stand before us: what they say is believed from the right, and only theirs.

Each proxy adds to the right of a header what it saw. So the rightmost entry is by the proxy that speaks to us, the one
before it by whom that proxy names, and so on: as long as each of these is trusted. Further left, anybody may have
written anything.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

FORWARDED = "forwarded"
X_FORWARDED_FOR = "x-forwarded-for"
UNIX = "unix"
"""Stands for whoever speaks to us over a unix socket."""

MAX_HOPS = 32
_LONGEST = 100
"""Characters of one entry."""

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_FOR = re.compile(r"""(?:[^"]*;)?\s*for=(?:"([^"]+)"|([^";\s]+))\s*(?:;.*)?""", re.IGNORECASE)
_V4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_IN_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies that are ours. `header` is the one that all of them write; the other one anybody may have sent."""

    networks: tuple[_Network, ...] = ()
    unix: bool = False
    header: str = X_FORWARDED_FOR

    @classmethod
    def parse(cls, text: str, header: str = X_FORWARDED_FOR) -> "TrustedProxies":
        """Addresses and networks, separated by commas; `unix` for the unix socket.

        Raises:
            ValueError: one of them is neither.
        """
        names = [each.strip() for each in text.split(",") if each.strip()]
        networks = tuple(ipaddress.ip_network(each) for each in names if each != UNIX)
        return cls(networks, UNIX in names, header)

    def origin(self, peer: str, lines: Sequence[str]) -> str:
        """The address that a request comes from, given who is connected and the lines of the header."""
        if not (self.networks or self.unix):
            return peer
        address = _address(peer)
        if not (self.unix if not peer else self._trusts(address)):
            return peer
        origin = peer
        for entry in reversed(",".join(lines).split(",")[-MAX_HOPS:]):
            found = _address(self._named(entry[:_LONGEST]))
            if found is None:
                break
            origin = str(found)
            if not self._trusts(found):
                break
        return origin

    def trusts(self, peer: str) -> bool:
        """Whether whoever is connected is one of them; over the unix socket, `peer` is empty."""
        return self._trusts(_address(peer)) if peer else self.unix

    def _trusts(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)

    def _named(self, entry: str) -> str:
        """The address in one entry of the header, as it stands there."""
        if self.header == X_FORWARDED_FOR:
            return entry.strip()
        found = _FOR.fullmatch(entry)
        return (found[1] or found[2]) if found else ""


NO_PROXIES = TrustedProxies()
"""Whoever is connected is who it comes from."""


def _address(text: str) -> _Address | None:
    """An address with or without a port; None for what is none, such as a name that hides one."""
    if found := _V4_WITH_PORT.fullmatch(text) or _IN_BRACKETS.fullmatch(text):
        text = found[1]
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address

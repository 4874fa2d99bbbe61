"""Which addresses we may connect to on somebody's behalf, so that nobody reaches through us what they cannot reach themselves.

Names are no protection: whoever owns one may let it point anywhere, at another place each time that it is asked. So it
is always the address that is judged, the very one that is then connected to. Public ones may be asked. Those of private
networks may if the settings allow the network, or name the host in a setting of its own. Loopback only where a setting
names it as such. What belongs to one machine or its hypervisor (link-local, metadata) or to nobody never, unless the
settings allow that network by name.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self, TypeAlias
from urllib.parse import urlsplit

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = {"http": 80, "https": 443}
"""The schemes that are spoken, and the only ports on hosts that no setting names."""

_LOCALHOST = "localhost"
_METADATA = frozenset(
    ipaddress.ip_address(each) for each in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
"""Where clouds keep what a machine may know about itself, beside 169.254.0.0/16."""
_CARRIERS = tuple(
    ipaddress.ip_network(each)
    for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10")
)
"""Networks of IPv6 in which an address of IPv4 lies hidden: NAT64, 6to4, Teredo, compatible; and site-local ones, which are no more."""


@dataclass(frozen=True, slots=True)
class Reachable:
    """Networks that are allowed whatever they are, and hosts that settings name: their ports, and who may be private."""

    networks: tuple[_Network, ...] = ()
    named: frozenset[tuple[str, int]] = frozenset()
    private: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read addresses and networks with commas between.

        Raises:
            ValueError: one of them is neither.
        """
        return cls(tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip()))

    def naming(self, urls: Iterable[str], *, private: bool) -> Self:
        """The same, with the hosts of URLs that stand in the settings; `private`: they may be in a private network."""
        hosts = frozenset(filter(None, map(_host, urls)))
        inside = frozenset(host for host, _ in hosts if private)
        return replace(self, named=self.named | hosts, private=self.private | inside)

    def allows_url(self, url: str) -> bool:
        """Whether a URL that somebody else gave may be asked, as far as it can be told before its name is resolved."""
        return "@" not in url.partition("://")[2].partition("/")[0] and self.allows_place(url)

    def allows_place(self, url: str) -> bool:
        """Whether scheme, host and port of a URL may be asked."""
        place = _host(url)
        if place is None:
            return False
        host, port = place
        address = _literal(host)
        if address is not None and not self.allows(host, address):
            return False
        return place in self.named or port == PORTS[urlsplit(url).scheme]

    def allows(self, host: str, address: Address) -> bool:
        """Whether this host may be asked at this address."""
        address = _plain(address)
        if any(address in network for network in self.networks):
            return True
        if address in _METADATA or any(
            address in network for network in _CARRIERS if network.version == address.version
        ):
            return str(address) == "::1" and self._names_loopback(host)
        if address.is_loopback:
            return self._names_loopback(host)
        if address.is_unspecified or address.is_multicast or address.is_reserved or address.is_link_local:
            return False
        return address.is_global or (address.is_private and host in self.private and not _is_nobodys(address))

    def _names_loopback(self, host: str) -> bool:
        """Whether a setting names loopback as such: a name that happens to point there does not."""
        literal = _literal(host)
        is_loopback = host == _LOCALHOST or (literal is not None and literal.is_loopback)
        return is_loopback and any(host == named for named, _ in self.named)


PUBLIC = Reachable()
"""Public addresses only."""


def _is_nobodys(address: Address) -> bool:
    """0.0.0.0/8, which some systems take for themselves."""
    return address.version == 4 and int(address) >> 24 == 0  # noqa: PLR2004 - IPv4


def _plain(address: Address) -> Address:
    """The address of IPv4 that is written as one of IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _host(url: str) -> tuple[str, int] | None:
    """Host and port of a URL that can be asked at all."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    strange = not host or not host.isascii() or "%" in host or "\\" in url or any(each <= " " for each in url)
    if strange or parts.scheme not in PORTS or port == 0:
        return None
    return host, port or PORTS[parts.scheme]

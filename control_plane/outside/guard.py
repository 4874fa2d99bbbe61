"""Connections to the outside: to no address that was not judged, and to no other than the one that was."""

import errno
import ipaddress
import socket
from collections import OrderedDict
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from control_plane.domain.reachable import Reachable

_MAX_APPROVED = 1_000


class RefusedAddressError(OSError):
    """A name points at an address that nobody may ask through us; which one is not told."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "its address is not one that may be asked")


class Guard(AbstractResolver):
    """Resolves names, leaves out the addresses that they may not have, and opens sockets to no others.

    Addresses in URLs are not resolved, so the socket is where everything is judged; there, names are known no more.
    What a name was allowed is therefore remembered for the socket.
    """

    def __init__(self, reachable: Reachable, resolver: AbstractResolver | None = None) -> None:
        self._reachable, self._resolver = reachable, resolver or DefaultResolver()
        self._approved: OrderedDict[str, None] = OrderedDict()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [each for each in found if self._reachable.allows(host.lower(), _address(each["host"]))]
        if found and not allowed:
            raise RefusedAddressError
        for each in allowed:
            self._approve(each["host"])
        return allowed

    async def close(self) -> None:
        await self._resolver.close()

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for this address.

        Raises:
            RefusedAddressError: nobody may connect there.
        """
        family, kind, protocol, _, (host, *_) = info
        if host not in self._approved and not self._reachable.allows(host, _address(host)):
            raise RefusedAddressError
        return socket.socket(family, kind, protocol)

    async def check(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Of each request, also one that a redirect would lead to: scheme, host and port."""
        if not self._reachable.allows_place(str(request.url)):
            raise RefusedAddressError
        return await handler(request)

    def _approve(self, address: str) -> None:
        self._approved[address] = None
        self._approved.move_to_end(address)
        if len(self._approved) > _MAX_APPROVED:
            self._approved.popitem(last=False)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text.partition("%")[0])


def guarded_connector(guard: Guard) -> aiohttp.TCPConnector:
    """Connections through this guard. Each name is resolved each time: what it said before says nothing."""
    return aiohttp.TCPConnector(
        resolver=guard, use_dns_cache=False, socket_factory=guard.open_socket, limit_per_host=20
    )

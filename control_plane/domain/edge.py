"""By which names the API is called, and the pages of which origins may call it.

A page can point a name of its own at an address within a company, loopback too (DNS rebinding), but it cannot choose
another Host header than that name. An address as the Host is therefore always right.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?"
_HOST = re.compile(rf"(?:({_NAME})|\[([0-9a-f:.]+)\])\.?(?::[0-9]{{1,5}})?")
_ORIGIN = re.compile(rf"https?://(?:{_NAME}|\[[0-9a-f:.]+\])(?::[0-9]{{1,5}})?")
_LOCALHOST = "localhost"


@dataclass(frozen=True, slots=True)
class Edge:
    """`hosts` None: by any name. Origins are compared as they are; there is none that stands for all."""

    hosts: frozenset[str] | None = None
    origins: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, hosts: str, origins: str, *, local: bool) -> Self:
        """Read names and origins with commas between; without names, any will do unless only this machine calls.

        Raises:
            ValueError: one of them is no name or no origin.
        """
        named = frozenset(_parts(hosts))
        for each in named:
            if not re.fullmatch(_NAME, each):
                msg = "must be names of hosts, without a port, as in trimtab.example.com, with commas between"
                raise ValueError(msg)
        wanted = frozenset(_parts(origins))
        for each in wanted:
            if not _ORIGIN.fullmatch(each):
                msg = "must be whole origins, as in https://console.example.com, with commas between; there is no *"
                raise ValueError(msg)
        return cls(named | {_LOCALHOST} if named or local else None, wanted)

    def serves(self, host: str) -> bool:
        """Whether the API is called by this Host."""
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        return self.hosts is None or found[1] is None or found[1] in self.hosts or _is_address(found[1])


ANY_HOST = Edge()
"""Called by any name, by no page."""


def _parts(text: str) -> Iterable[str]:
    return (each.strip().lower() for each in text.split(",") if each.strip())


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

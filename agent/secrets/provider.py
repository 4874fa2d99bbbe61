"""What the agent needs of a place where secrets are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.domain.codec import Json

MAX_SECRET = 256 * 1024
"""Bytes of one secret, whatever it is written in."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched: a text, or an object of fields. `lease` are the seconds that it is lent for; None has no end.

    `renewal` is what the provider can prolong the lease by; empty where it cannot.
    """

    document: Json = field(repr=False)
    lease: float | None = None
    renewal: str = field(default="", repr=False)


class Provider(Protocol):
    """One place where secrets are kept. `often`: looking again costs so little that it is done every few seconds."""

    often: bool

    async def fetch(self, source: Mapping[str, str]) -> Fetched:
        """What a source holds now.

        Raises:
            SecretError: it cannot be had.
        """
        ...

    async def renew(self, fetched: Fetched) -> Fetched:
        """The same, lent for longer.

        Raises:
            SecretError: it is not.
        """
        ...


def label(source: Mapping[str, str]) -> str:
    """What people call a source."""
    rest = {name: text for name, text in source.items() if name not in {"provider", "engine"}}
    where = "/".join(rest.pop(name) for name in ("mount", "path", "id", "name") if name in rest)
    return " ".join([source["provider"], where, *(f"{name} {text}" for name, text in rest.items())])

"""What readiness asks."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DependencyState:
    """What readiness says about one dependency. Only a required one that is away makes a replica not ready."""

    name: str
    ok: bool
    required: bool
    detail: str = ""


class Probe(Protocol):
    """Asks one dependency whether it is there."""

    async def probe(self) -> DependencyState:
        """Never raises, and answers within two seconds."""
        ...

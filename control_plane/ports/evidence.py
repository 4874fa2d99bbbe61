"""Where what agents report about candidates is kept, for as long as somebody may judge by it. May be lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.gates.comparison import Block
from control_plane.domain.gates.evidence import EvidenceReport, InstanceHealth


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report. `fresh`: it was no repetition. `alarming`: an application became unhealthy by it."""

    fresh: bool
    alarming: bool


class Evidence(Protocol):
    """Evidence, added up. Raises `UnavailableError` while its store is away.

    Moments are arguments; the clocks of replicas have to agree within a second.
    """

    async def record(self, report: EvidenceReport, now_ms: int) -> Recorded:
        """Add a report; one that was added before changes nothing. Outcomes that are too old are left out."""
        ...

    async def blocks(self, rollout: UUID, after_ms: int, until_ms: int) -> Sequence[Block]:
        """The blocks that closed after a moment and until another one, in the order in which they closed."""
        ...

    async def health(self, rollout: UUID) -> Sequence[InstanceHealth]:
        """What each instance said last, by app, environment and instance."""
        ...

    async def forget(self, rollout: UUID) -> None:
        """The rollout is over."""
        ...

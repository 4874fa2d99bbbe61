"""Who measures the gates of a rollout, and whom they ask."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from control_plane.domain.gates.measurement import Measurement, Result
from control_plane.domain.gates.spec import Gate
from control_plane.domain.gates.trial import Trial
from shared.domain.codec import Json
from shared.wire.problem import Violation


class Judge(Protocol):
    """Measures gates."""

    def violations(self, gate: Gate, pointer: str) -> Iterator[Violation]:
        """Why a gate could never be measured in this installation, if so."""
        ...

    async def measure(self, trial: Trial, index: int, gate: Gate, now_ms: int) -> Measurement:
        """What the gate with this index of the trial's step shows now. It takes some seconds at most.

        It never raises because of what it asks: a source that is away makes a measurement inconclusive.
        """
        ...


@dataclass(frozen=True, slots=True)
class Silence:
    """There is no usable answer, and why."""

    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook said."""

    result: Result
    detail: str = ""


class Metrics(Protocol):
    """Servers that know numbers, by their names; "" is the one that is meant where none is named."""

    def knows(self, source: str) -> bool:
        """Whether there is a server of this name."""
        ...

    async def number(self, source: str, query: str) -> float | Silence:
        """The one number that a query gives; NaN and infinity are numbers here."""
        ...


class Webhooks(Protocol):
    """Services that judge by themselves."""

    def allows(self, url: str) -> bool:
        """Whether this URL may be asked at all."""
        ...

    async def ask(self, url: str, question: Mapping[str, Json]) -> Answer | Silence:
        """What it says to a question."""
        ...

"""Who measures the gates of a rollout."""

from typing import Protocol

from control_plane.domain.gates.measurement import Measurement
from control_plane.domain.gates.spec import Gate
from control_plane.domain.gates.trial import Trial


class Judge(Protocol):
    """Measures gates. Never raises because of what it asks: a source that is away makes a measurement inconclusive."""

    async def measure(self, trial: Trial, index: int, gate: Gate, now_ms: int) -> Measurement:
        """What the gate with this index of the trial's step shows now. It takes a few seconds at most."""
        ...

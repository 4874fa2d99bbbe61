"""Put together what there is to say of candidates, in batches that are sent until they are received.

A batch does not change once it was sent: whatever comes meanwhile is for the next one. So the control plane can tell a
repetition by its number alone, and counts nothing twice.
"""

from uuid import uuid4

from agent.snapshot.store import SnapshotStore
from agent.sync.exposed import Exposed
from agent.sync.health import Health
from agent.sync.outcomes import Outcomes
from shared.domain.context import EvaluationContext
from shared.runtime.clock import Clock, unix_ms
from shared.wire.evidence import ApplicationHealth, Evidence


class Witness:
    """Makes batches. Their numbers rise in one life of the agent, which has a name of its own."""

    def __init__(
        self, store: SnapshotStore, health: Health, outcomes: Outcomes, clock: Clock, own: EvaluationContext
    ) -> None:
        self.health, self.outcomes = health, outcomes
        self._store, self._clock = store, clock
        self._exposed = Exposed(own)
        self._incarnation, self._sequence = uuid4().hex, 0
        self._waiting: Evidence | None = None
        self._said: ApplicationHealth | None = None

    @property
    def now_ms(self) -> int:
        """This moment."""
        return unix_ms(self._clock.now())

    def batch(self) -> Evidence | None:
        """The batch to send with the next report; None if there is nothing new to say."""
        if self._waiting is None:
            health, outcomes = self._health(), self.outcomes.take()
            if outcomes or (health is not None and health != self._said):
                self._sequence += 1
                self._waiting = Evidence(self._incarnation, self._sequence, health, outcomes)
        return self._waiting

    def received(self, batch: Evidence | None) -> None:
        """The control plane has it."""
        if batch is not None and batch is self._waiting:
            self._waiting = None
            self._said = batch.health or self._said

    @property
    def probed(self) -> bool:
        """Whether anybody asks the application how it is."""
        return self.health.probes > 0

    @property
    def has_more(self) -> bool:
        """Whether something waits for the batch after this one."""
        return len(self.outcomes) > 0 or (self._waiting is None and self._health() not in (None, self._said))

    def knows(self, rollout: str) -> bool:
        """Whether a rollout is one that the agent has heard of, and that is not over."""
        return self._exposed.knows(self._store.current, rollout)

    def exposes(self) -> bool:
        """Whether this instance serves a candidate now."""
        return bool(self._exposed.at(self._store.current, self.now_ms))

    def _health(self) -> ApplicationHealth | None:
        exposed = self._exposed.at(self._store.current, self.now_ms)
        if not self.probed:
            return None
        return ApplicationHealth(str(self.health.condition), self.health.since_ms, self.health.detail, exposed)

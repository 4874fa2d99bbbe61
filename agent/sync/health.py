"""How the application next to the agent is, as far as the probe tells: counted here, told by the reporter."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum

from agent.sync.observers import Observer, Observers

MAX_DETAIL = 500


class Condition(StrEnum):
    """How the application is."""

    UNKNOWN = "unknown"
    """It has not been asked, or not since a candidate was applied."""
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(slots=True)
class Health:
    """What the probe found. So many answers of one kind in a row change the condition.

    `since_ms` is the wall clock's moment at which it changed, `detail` what the probe said last.
    """

    failures: int = 3
    successes: int = 1
    condition: Condition = Condition.UNKNOWN
    since_ms: int = 0
    detail: str = ""
    probes: int = 0
    failed: int = 0
    """Probes that failed, ever."""
    _row: int = 0
    _row_good: bool = False
    _observers: Observers = field(default_factory=Observers, repr=False)

    def found(self, *, good: bool, detail: str, now_ms: int) -> None:
        """The probe answered."""
        self.probes += 1
        self.failed += not good
        self.detail = detail[:MAX_DETAIL]
        self._row = self._row + 1 if good is self._row_good else 1
        self._row_good = good
        if self._row >= (self.successes if good else self.failures):
            self._become(Condition.HEALTHY if good else Condition.UNHEALTHY, now_ms)

    @property
    def faltering(self) -> bool:
        """Whether the last answer was a failure, even if it does not count yet."""
        return self._row > 0 and not self._row_good

    def doubt(self, now_ms: int) -> None:
        """Something was applied: what was known before says nothing of now. What is unhealthy stays so."""
        self._row = 0
        if self.condition is Condition.HEALTHY:
            self._become(Condition.UNKNOWN, now_ms)

    def observe(self, observer: Observer) -> AbstractContextManager[None]:
        """Have `observer` called whenever the condition changes, until the block ends."""
        return self._observers.observe(observer)

    def _become(self, condition: Condition, now_ms: int) -> None:
        if condition is self.condition:
            return
        self.condition, self.since_ms = condition, now_ms
        self._observers.tell()

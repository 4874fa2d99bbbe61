"""How the agent stands towards the control plane: written by the synchronizer, read by probes, `/status` and reports."""

from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from agent.ports import UpstreamRefusedError, UpstreamUnavailableError
from agent.sync.observers import Observer, Observers
from shared.wire.messages import UnsupportedSchemaError
from shared.wire.report import Rejection

CHANNELS = ("amqp", "sse", "fetch", "report")
"""What the agent needs the other side for: a feed by its name, snapshots, reports."""
TROUBLES = ("unavailable", "refused", "unsupported", "malformed")
"""How the other side may fail it."""


class State(StrEnum):
    """How far the agent may be trusted to be up to date."""

    HYDRATING = "hydrating"
    """It has nothing to serve yet."""
    STALE = "stale"
    """It serves what it last knew and cannot tell whether that is current."""
    LIVE = "live"
    """It hears the control plane and agreed with it a moment ago."""


@dataclass(slots=True)
class Status:
    """What is known right now. Moments are seconds of the monotonic clock unless they are datetimes.

    `live` needs both: a feed that is heard, and agreement since then. `last_confirmed` is the last moment at which
    the agent knew that it holds what the control plane holds; `last_heard` the last moment at which it heard
    anything. `rejection` stays until a later state was applied.
    """

    state: State = State.HYDRATING
    transport: str = ""
    """Name of the feed that is followed; empty while there is none."""
    connected: bool = False
    last_heard: float | None = None
    last_confirmed: float | None = None
    applied_at: datetime | None = None
    upstream_revision: int = 0
    """The highest revision that the control plane was heard to have committed."""
    applied: int = 0
    """Snapshots made visible, by message or by fetch."""
    resyncs: int = 0
    gaps: int = 0
    rejections: int = 0
    reconnects: int = 0
    keep_failures: int = 0
    malformed: int = 0
    untrusted: int = 0
    upstream_errors: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By channel and trouble."""
    last_error: str = ""
    schema_error: str = ""
    """Why a feed's messages cannot be understood (they are too new); empty once one is followed again."""
    keep_error: str = ""
    """Why the last known good could not be kept; empty while it is."""
    rejection: Rejection | None = None
    _observers: Observers = field(default_factory=Observers, repr=False)

    def staleness(self, now: float) -> float | None:
        """Seconds since agreement with the control plane was last known; None if never in this life."""
        return None if self.last_confirmed is None else max(0.0, now - self.last_confirmed)

    def heard_of(self, revision: int) -> None:
        """The control plane has committed `revision`."""
        self.upstream_revision = max(self.upstream_revision, revision)

    def enter(self, state: State) -> None:
        """Be in `state` from now on."""
        if state is not self.state:
            self.state = state
            self.changed()

    def following(self, transport: str) -> None:
        """A feed is heard (or, with an empty name, none is)."""
        if transport != self.transport:
            self.transport, self.connected = transport, bool(transport)
            self.changed()

    def reject(self, rejection: Rejection) -> None:
        """Remember what was refused, and tell."""
        self.rejections += 1
        self.rejection = rejection
        self.last_error = rejection.reason
        self.changed()

    def failed(self, channel: str, error: Exception) -> None:
        """The other side failed us."""
        self.upstream_errors[channel, _trouble(error)] += 1

    def changed(self) -> None:
        """Tell the observers."""
        self._observers.tell()

    def observe(self, observer: Observer) -> AbstractContextManager[None]:
        """Have `observer` called at every change until the block ends."""
        return self._observers.observe(observer)


def _trouble(error: Exception) -> str:
    match error:
        case UpstreamUnavailableError():
            return "unavailable"
        case UpstreamRefusedError():
            return "refused"
        case UnsupportedSchemaError():
            return "unsupported"
        case _:
            return "malformed"

"""What the local API shows: the parts of a running agent, handed in once by `main`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.sync.fallback import Fallback
from agent.sync.health import Health
from agent.sync.outcomes import Outcomes
from agent.sync.proving import Proving
from agent.sync.remarks import Remarks
from agent.sync.reporter import Identity
from agent.sync.results import Results
from agent.sync.skew import Skew
from agent.sync.status import Status
from shared.domain.context import Attribute
from shared.runtime.clock import Clock, SystemClock


class FileView(Protocol):
    """How one rendered file stands."""

    @property
    def path(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def revision(self) -> int | None: ...
    @property
    def rendered_at(self) -> datetime | None: ...
    @property
    def size(self) -> int: ...
    @property
    def writes(self) -> int: ...
    @property
    def failures(self) -> int: ...
    @property
    def error(self) -> str: ...


class SetView(Protocol):
    """How one file set stands."""

    @property
    def name(self) -> str: ...
    @property
    def phase(self) -> str: ...
    @property
    def revision(self) -> int | None: ...
    @property
    def generation(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def files(self) -> Sequence[FileView]: ...
    @property
    def drifted(self) -> int: ...
    @property
    def last_change_at(self) -> datetime | None: ...


class RenderedView(Protocol):
    """All file sets and their files."""

    @property
    def sets(self) -> Sequence[SetView]: ...
    @property
    def files(self) -> Sequence[FileView]: ...


@dataclass(slots=True)
class Policy:
    """When an agent that serves is not fresh enough to be called ready. It may change while the agent runs."""

    max_staleness: float | None = None
    require_fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """The running agent. `sync` fetches at once and says whether we then hold what the control plane holds."""

    store: SnapshotStore
    status: Status
    clock: Clock
    identity: Identity
    sync: Callable[[], Awaitable[bool]]
    rendered: RenderedView | None = None
    """The file sets, as they stand at each moment."""
    policy: Policy = field(default_factory=Policy)
    state_dir: str = ""
    usage: Usage = field(default_factory=Usage)
    own: Mapping[str, Attribute] = field(default_factory=dict)
    """What the agent knows of itself, as attributes of every context."""
    health: Health = field(default_factory=Health)
    outcomes: Outcomes = field(default_factory=Outcomes)
    knows: Callable[[str], bool] = lambda _rollout: True
    """Whether a rollout is one of the current snapshot: of others, nobody needs outcomes."""
    remarks: Remarks = field(default_factory=lambda: Remarks(SystemClock(), int))
    """What operators should know of this agent."""
    results: Results = field(default_factory=Results)
    proving: Proving | None = None
    fallback: Fallback | None = None
    """What is known of snapshots that the application was well with; None where nobody asks it."""
    skew: Skew = field(default_factory=lambda: Skew(SystemClock()))

    @property
    def sets(self) -> Sequence[SetView]:
        """The file sets."""
        return () if self.rendered is None else self.rendered.sets

    @property
    def files(self) -> Sequence[FileView]:
        """The rendered files."""
        return () if self.rendered is None else self.rendered.files

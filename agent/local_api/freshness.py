"""How far what we serve may be trusted: the reason in every answer, and readiness."""

from agent.local_api.view import Policy, RenderedView
from agent.snapshot.store import SnapshotStore
from agent.sync.status import State, Status
from shared.runtime.clock import Clock

WAITING = "waiting"
"""The phase of a set of which nothing was rendered yet."""


class Freshness:
    """Judges the agent's state by the policy. Nothing latches: every answer is about now."""

    def __init__(
        self,
        store: SnapshotStore,
        status: Status,
        clock: Clock,
        policy: Policy,
        rendered: RenderedView | None = None,
    ) -> None:
        self._store, self._status, self._clock, self._policy = store, status, clock, policy
        self._rendered = rendered

    def staleness(self) -> float | None:
        """Seconds since the agent knew that it holds what the control plane holds; None if not since its start."""
        return self._status.staleness(self._clock.monotonic())

    def stale(self) -> bool:
        """Whether a read has to say STALE: not confirmed since the start, not for longer than allowed, or in a fallback."""
        if self._store.current is not self._store.applied and self.behind:
            return True
        limit = self._policy.max_staleness
        if limit is None:
            return self._status.last_confirmed is None
        age = self.staleness()
        return age is None or age > limit

    @property
    def behind(self) -> bool:
        """Whether readers are shown something older than what is applied: the fallback."""
        return self._store.current.revision < self._store.applied.revision

    def unready(self) -> str:
        """Why the agent is not ready; empty when it is."""
        if not self._store.ready:
            return "There is no snapshot yet."
        if self._store.settling:
            return "Secrets that values refer to are being fetched."
        if awaited := self._awaited():
            return f"The files of {', '.join(awaited)} are being written for the first time."
        if self._policy.require_fresh and self._status.state is not State.LIVE:
            return f"The state is {self._status.state}, and only live counts as ready here (require_fresh)."
        limit = self._policy.max_staleness
        if limit is not None and self.stale():
            age = self.staleness()
            since = "since the agent's start" if age is None else f"for {age:.0f} s"
            return f"Not in agreement with the control plane {since}; {limit:g} s are allowed (max_staleness)."
        return ""

    def _awaited(self) -> list[str]:
        """File sets of which nothing came yet, good or bad. Once files are there, no hook that takes long counts."""
        sets = () if self._rendered is None else self._rendered.sets
        return [
            each.name for each in sets if each.phase == WAITING and not all(file.rendered_at for file in each.files)
        ]

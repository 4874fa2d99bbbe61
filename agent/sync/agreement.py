"""Compare a heartbeat with what we have: do we agree with the control plane? Pure."""

from enum import StrEnum

from agent.snapshot.model import Snapshot
from shared.domain.scope import Revisions
from shared.wire.messages import Heartbeat


class Agreement(StrEnum):
    """How we stand towards one heartbeat."""

    AGREED = "agreed"
    BEHIND = "behind"
    """The control plane has more than we: something was lost, or is still on its way."""
    AHEAD = "ahead"
    """A replica that lags: no news."""
    DIVERGED = "diverged"
    """The same revision, and yet something else: only a whole snapshot helps."""


def compare(snapshot: Snapshot, heartbeat: Heartbeat) -> Agreement:
    """How `snapshot` stands towards `heartbeat`; the worst of the three scopes counts."""
    states = (heartbeat.global_, heartbeat.app, heartbeat.environment)
    found = set()
    for revision, digest, state in zip(snapshot.revisions, snapshot.digests, states, strict=True):
        if revision != state.revision:
            found.add(Agreement.BEHIND if revision < state.revision else Agreement.AHEAD)
        elif digest != state.digest:
            found.add(Agreement.DIVERGED)
    for each in (Agreement.DIVERGED, Agreement.BEHIND, Agreement.AHEAD):
        if each in found:
            return each
    return Agreement.AGREED


def revisions_of(heartbeat: Heartbeat) -> Revisions:
    """The revisions that a heartbeat gives for the three scopes."""
    return Revisions(heartbeat.global_.revision, heartbeat.app.revision, heartbeat.environment.revision)

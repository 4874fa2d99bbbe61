"""The words of rollouts: strategies, phases, actions and how one ends."""

from enum import StrEnum


class Strategy(StrEnum):
    """How whom a rollout exposes is decided, and by what it goes on."""

    IMMEDIATE = "immediate"
    PERCENTAGE = "percentage"
    CANARY = "canary"
    FEATURE_FLAG = "feature_flag"
    TIME_BASED = "time_based"
    USER_TARGETING = "user_targeting"


class Phase(StrEnum):
    """How far a rollout has come."""

    PENDING = "pending"
    """Nobody is exposed yet."""
    PROGRESSING = "progressing"
    """The weights of its step are on their way by the clock."""
    WAITING = "waiting"
    """Its step is reached, and the gates are to say whether it goes on."""
    PAUSED = "paused"
    """It stays as it was when it was paused."""
    COMPLETED = "completed"
    ABORTED = "aborted"


EXPOSED = frozenset({Phase.PROGRESSING, Phase.WAITING, Phase.PAUSED})
"""Phases in which the candidate is exposed; a config has one rollout in them at a time."""
FINISHED = frozenset({Phase.COMPLETED, Phase.ABORTED})


class Action(StrEnum):
    """What a person can do with a rollout."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"
    APPROVE = "approve"


LEGAL: dict[Phase, tuple[Action, ...]] = {
    Phase.PENDING: (Action.START, Action.APPROVE, Action.ABORT),
    Phase.PROGRESSING: (Action.PAUSE, Action.PROMOTE, Action.APPROVE, Action.ABORT),
    Phase.WAITING: (Action.PAUSE, Action.PROMOTE, Action.APPROVE, Action.ABORT),
    Phase.PAUSED: (Action.RESUME, Action.PROMOTE, Action.APPROVE, Action.ABORT),
    Phase.COMPLETED: (),
    Phase.ABORTED: (),
}
"""What can be done in each phase."""


class Outcome(StrEnum):
    """What became of the candidate in the end."""

    KEPT = "kept"
    """It is the config's value now."""
    REVERTED = "reverted"
    """Its time is over, as planned."""
    WITHDRAWN = "withdrawn"
    """It was aborted, by a person or by a gate."""
    SUPERSEDED = "superseded"
    """Somebody wrote the config with force."""


class AtEnd(StrEnum):
    """What happens when a window closes for good."""

    REVERT = "revert"
    KEEP = "keep"

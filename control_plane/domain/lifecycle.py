"""The states of a change from its making to its end, and what may be done in each: one table.

```text
           submit              schedule, approve              commit, or its time comes
   draft ─────────▶ pending ─────────────────────▶ scheduled ─────────────────────────▶ committed
                       │  ▲                            │  │
                       │  └──── edit ──────────────────┘  └─ its time comes in vain ──▶ failed
                       └─ commit ─▶ committed        reject, withdraw (also before) ──▶ rejected, withdrawn
                                                     nobody approved it in time ──────▶ expired
```
"""

from collections.abc import Mapping
from enum import StrEnum

from control_plane.domain.errors import ConflictError


class State(StrEnum):
    """Where a change is in its life."""

    DRAFT = "draft"
    """Its author is still at it."""
    PENDING = "pending"
    """Submitted: it waits for approvals, or to be committed."""
    SCHEDULED = "scheduled"
    """It has the approvals that it needs, and is committed at its time."""
    COMMITTED = "committed"
    """Done: it has a revision."""
    REJECTED = "rejected"
    """An approver said no."""
    WITHDRAWN = "withdrawn"
    """Its author took it back."""
    EXPIRED = "expired"
    """It waited too long for its approvals."""
    FAILED = "failed"
    """Its time came and it could not be committed; nothing of it was applied."""


class Action(StrEnum):
    """What can be done with a change that is stored."""

    EDIT = "edit"
    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    SCHEDULE = "schedule"
    COMMIT = "commit"
    EXPIRE = "expire"
    """By the program: nobody approved it in time."""
    FAIL = "fail"
    """By the program: it could not be committed at its time."""


BY_THE_PROGRAM = frozenset({Action.EXPIRE, Action.FAIL})
OPEN = frozenset({State.DRAFT, State.PENDING, State.SCHEDULED})
"""States that something can still come of."""

_WAITING = frozenset({State.PENDING, State.SCHEDULED})
"""Where a submitted change waits: scheduled if it has a time and the approvals that it needs, else pending."""


def _only(state: State) -> frozenset[State]:
    return frozenset({state})


TRANSITIONS: Mapping[State, Mapping[Action, frozenset[State]]] = {
    State.DRAFT: {
        Action.EDIT: _only(State.DRAFT),
        Action.SUBMIT: _WAITING,
        Action.WITHDRAW: _only(State.WITHDRAWN),
    },
    State.PENDING: {
        Action.EDIT: _WAITING,
        Action.APPROVE: _WAITING,
        Action.REJECT: _only(State.REJECTED),
        Action.WITHDRAW: _only(State.WITHDRAWN),
        Action.SCHEDULE: _WAITING,
        Action.COMMIT: _only(State.COMMITTED),
        Action.EXPIRE: _only(State.EXPIRED),
    },
    State.SCHEDULED: {
        Action.EDIT: _WAITING,
        Action.APPROVE: _only(State.SCHEDULED),
        Action.REJECT: _only(State.REJECTED),
        Action.WITHDRAW: _only(State.WITHDRAWN),
        Action.SCHEDULE: _WAITING,
        Action.COMMIT: _only(State.COMMITTED),
        Action.FAIL: _only(State.FAILED),
    },
    State.COMMITTED: {},
    State.REJECTED: {},
    State.WITHDRAWN: {},
    State.EXPIRED: {},
    State.FAILED: {},
}
"""What may be done in which state, and where that can lead."""


def legal_actions(state: State) -> list[Action]:
    """What people may do with a change in this state."""
    return [each for each in TRANSITIONS[state] if each not in BY_THE_PROGRAM]


def after(state: State, action: Action, *, approved: bool, timed: bool) -> State:
    """The state that an action leads to. Afterwards the change is `approved` as it needs to be; `timed`: it has a time.

    Raises:
        ConflictError: this cannot be done in this state.
    """
    targets = TRANSITIONS[state].get(action)
    if targets is None:
        raise illegal(state, action)
    if len(targets) == 1:
        return next(iter(targets))
    return State.SCHEDULED if approved and timed else State.PENDING


def illegal(state: State, action: Action) -> ConflictError:
    """The error that names the state, and what may be done in it."""
    legal = [each.value for each in legal_actions(state)]
    can = f"what can be done with it: {', '.join(legal)}" if legal else "nothing can be done with it any more"
    msg = f"The change is {state}, so {action} is not possible; {can}."
    return ConflictError(msg, state=state.value, action=action.value, legal_actions=legal)

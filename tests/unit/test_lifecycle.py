"""The table of states and actions."""

import pytest

from control_plane.domain.errors import ConflictError
from control_plane.domain.lifecycle import OPEN, TRANSITIONS, Action, State, after, legal_actions


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_every_action_leads_where_the_table_says_or_is_refused_by_name(state: State, action: Action) -> None:
    for approved, timed in ((False, False), (False, True), (True, False), (True, True)):
        if action in TRANSITIONS[state]:
            assert after(state, action, approved=approved, timed=timed) in TRANSITIONS[state][action]
        else:
            with pytest.raises(ConflictError, match=f"The change is {state}, so {action} is not possible") as refused:
                after(state, action, approved=approved, timed=timed)
            assert refused.value.facts["state"] == state
            assert refused.value.facts["legal_actions"] == legal_actions(state)


def test_what_has_ended_stays_as_it_is() -> None:
    assert {state for state in State if not TRANSITIONS[state]} == set(State) - OPEN


def test_a_draft_is_never_committed_directly() -> None:
    assert Action.COMMIT not in TRANSITIONS[State.DRAFT]


@pytest.mark.parametrize(
    ("approved", "timed", "state"),
    [
        (True, True, State.SCHEDULED),
        (True, False, State.PENDING),
        (False, True, State.PENDING),
        (False, False, State.PENDING),
    ],
)
def test_a_submitted_change_is_scheduled_once_it_has_a_time_and_its_approvals(
    approved: bool,  # noqa: FBT001 - an example
    timed: bool,  # noqa: FBT001 - an example
    state: State,
) -> None:
    assert after(State.DRAFT, Action.SUBMIT, approved=approved, timed=timed) is state
    assert after(State.PENDING, Action.APPROVE, approved=approved, timed=timed) is state
    assert after(State.SCHEDULED, Action.EDIT, approved=approved, timed=timed) is state

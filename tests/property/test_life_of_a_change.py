"""Whatever is done with a change, in whatever order and by whom, it goes the ways of the table, and no others.

A model that knows the table and counts approvals says what each step must lead to; PostgreSQL has to agree each time.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Aim, BreakGlass, Draft
from control_plane.domain.errors import ApprovalRequiredError, ConflictError, ForbiddenError, TrimtabError
from control_plane.domain.lifecycle import OPEN, TRANSITIONS, Action, State, legal_actions
from control_plane.domain.policy import NewPolicy
from control_plane.services.standing import Revision
from shared.runtime.clock import SystemClock
from tests.rig.api import Api, serving_api
from tests.store import PROD, put

_CLOCK = SystemClock()
_NUMBERS = count()
_PEOPLE = {
    name: Attribution(name, "192.0.2.7", "req-1", role)
    for name, role in {
        "pam": "publisher",
        "peter": "publisher",
        "ann": "approver",
        "abe": "approver",
        "ada": "admin",
    }.items()
}
_APPROVING = {"approver", "admin"}
_COMMITTING = {"publisher", "admin"}
_steps = st.lists(
    st.tuples(st.sampled_from(list(Action)), st.sampled_from(sorted(_PEOPLE)), st.booleans()), min_size=1, max_size=12
)


@dataclass
class Model:
    """What the change must be by the table alone."""

    required: int
    state: State
    timed: bool
    author: str
    writers: set[str] = field(default_factory=set)
    approvals: set[str] = field(default_factory=set)

    def _waiting(self, who: str) -> State:
        """Scheduled with a time and the approvals; who could not commit it alone cannot let time do it either."""
        required = max(self.required, _PEOPLE[who].role not in _COMMITTING)
        return State.SCHEDULED if self.timed and len(self.approvals) >= required else State.PENDING

    def expect(self, action: Action, who: str, *, flag: bool) -> type[TrimtabError] | None:
        """Take the step, or say how it is refused."""
        if action not in TRANSITIONS[self.state]:
            return ConflictError
        role = _PEOPLE[who].role
        if action in {Action.APPROVE, Action.REJECT} and (who in self.writers or role not in _APPROVING):
            return ForbiddenError
        if action is Action.WITHDRAW and who not in self.writers and role != "admin":
            return ForbiddenError
        if action is Action.COMMIT and not flag and len(self.approvals) < self.required:
            return ApprovalRequiredError
        self._take(action, who)
        return None

    def _take(self, action: Action, who: str) -> None:
        match action:
            case Action.EDIT:
                self.writers.add(who)
                self.approvals.clear()
                self.state = State.DRAFT if self.state is State.DRAFT else self._waiting(who)
            case Action.SUBMIT:
                self.state = self._waiting(who)
            case Action.APPROVE:
                self.approvals.add(who)
                self.state = State.SCHEDULED if self.state is State.SCHEDULED else self._waiting(who)
            case Action.SCHEDULE:
                self.timed = True
                self.state = self._waiting(who)
            case _:
                (self.state,) = TRANSITIONS[self.state][action]


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("billing", "prod")
        yield api


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=_steps, required=st.integers(0, 2), aim=st.sampled_from([Aim.DRAFT, Aim.SUBMIT]), timed=st.booleans())
async def test_a_change_goes_the_ways_of_the_table_and_no_others(
    api: Api,
    steps: list[tuple[Action, str, bool]],
    required: int,
    aim: Aim,
    timed: bool,  # noqa: FBT001 - drawn
) -> None:
    number = next(_NUMBERS)
    policy = await api.services.policies.create(
        NewPolicy(f"p{number}", "*/prod", required_approvals=required), _PEOPLE["ada"]
    )
    key, before = f"k{number}", await api.services.changes.revision()
    at = _CLOCK.now() + timedelta(hours=1) if timed else None
    draft = Draft((put(PROD, key, 1),), _PEOPLE["pam"], aim=aim, scheduled_at=at)
    change = (await api.services.proposals.propose(draft)).id
    model = Model(required, State.DRAFT, timed, "pam", {"pam"})
    if aim is Aim.SUBMIT:
        model.expect(Action.SUBMIT, "pam", flag=False)
    for action, who, flag in steps:
        was = model.state
        expected = model.expect(action, who, flag=flag)
        raised = await _done(api, change, action, who, flag=flag)
        assert type(raised) is expected if expected else raised is None, (action, who, raised)
        if expected is ConflictError and isinstance(raised, ConflictError):
            assert (raised.facts["state"], raised.facts["legal_actions"]) == (was, legal_actions(was))
        standing = await api.services.proposals.get(change)
        assert (standing.proposal.state, set(standing.proposal.writers)) == (model.state, model.writers)
        assert set(standing.approvals) == model.approvals
    committed = model.state is State.COMMITTED
    assert await api.services.changes.revision() == before + committed
    found = (await api.get(f"/configs?prefix={key}")).document["items"]
    assert [each["key"] for each in found if each["key"] == key] == [key] * committed
    assert (await api.get("/audit/verify")).document["intact"]
    if model.state in OPEN:
        await api.services.proposals.withdraw(change, _PEOPLE["pam"])
    await api.services.policies.delete(policy.id, policy.version, _PEOPLE["ada"])


async def _done(api: Api, change: UUID, action: Action, who: str, *, flag: bool) -> TrimtabError | None:
    proposals, by = api.services.proposals, _PEOPLE[who]
    try:
        match action:
            case Action.EDIT:
                await proposals.edit(change, None, Revision(message=f"by {who}"), by)
            case Action.SUBMIT:
                await proposals.submit(change, by)
            case Action.APPROVE:
                await proposals.approve(change, by)
            case Action.REJECT:
                await proposals.reject(change, by)
            case Action.WITHDRAW:
                await proposals.withdraw(change, by)
            case Action.SCHEDULE:
                await proposals.schedule(change, _CLOCK.now() + timedelta(hours=2), by)
            case Action.COMMIT:
                await proposals.commit(change, by, break_glass=BreakGlass("down") if flag else None)
            case Action.EXPIRE | Action.FAIL:
                found = (await proposals.get(change)).proposal
                await proposals.due(Attribution("system"))._end(found, action, {"detail": "test"})
    except TrimtabError as error:
        return error
    return None

"""Who is known, for how long, and what the roles may do."""

from datetime import timedelta

import pytest

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import agent_of, holder
from control_plane.domain.access.reach import Place
from control_plane.domain.access.role import PERMISSIONS, Role
from control_plane.domain.access.token import token_hash
from control_plane.domain.api_key import LONGEST_LIFE, NewApiKey
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ForbiddenError, InvalidError, UnauthenticatedError, UnavailableError
from control_plane.services import access
from control_plane.services.access import REMEMBERED_SECONDS, Access
from control_plane.services.api_keys import ApiKeys
from control_plane.services.identity.presented import Presented
from tests.fakes.clock import ManualClock
from tests.fakes.credentials import FakeCredentials

AGENT = agent_of("shop", "prod", "agent:1")
OPERATOR = holder("operator", Role.OPERATOR)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> FakeCredentials:
    known = {token_hash("agent"): AGENT, token_hash("operator"): OPERATOR}
    return FakeCredentials(known, ("shop", "prod"), clock=clock)


@pytest.fixture
def subject(store: FakeCredentials, clock: ManualClock) -> Access:
    return Access(store, clock)


@pytest.fixture
def keys(store: FakeCredentials, subject: Access, clock: ManualClock) -> ApiKeys:
    return ApiKeys(store, subject, clock)


async def test_an_answer_is_used_for_a_while(subject: Access, store: FakeCredentials, clock: ManualClock) -> None:
    for _ in range(3):
        assert await subject.authenticate(Presented("agent")) == AGENT
        with pytest.raises(UnauthenticatedError):
            await subject.authenticate(Presented("guess"))
    assert store.asked == 2
    clock.advance(REMEMBERED_SECONDS)
    await subject.authenticate(Presented("agent"))
    assert store.asked == 3


async def test_a_token_revoked_elsewhere_stops_working_soon(
    subject: Access, store: FakeCredentials, clock: ManualClock
) -> None:
    await subject.authenticate(Presented("agent"))
    store.principals.clear()
    clock.advance(REMEMBERED_SECONDS)
    with pytest.raises(UnauthenticatedError):
        await subject.authenticate(Presented("agent"))


async def test_a_token_revoked_here_stops_working_at_once(subject: Access) -> None:
    by = Attribution("operator")
    made, secret = await subject.create_agent_token("shop", "prod", "node 1", by)
    assert (await subject.authenticate(Presented(secret))).id == f"agent:{made.id}"
    await subject.revoke_agent_token("shop", "prod", made.id, by)
    with pytest.raises(UnauthenticatedError):
        await subject.authenticate(Presented(secret))
    assert await subject.authenticate(Presented("agent")) == AGENT


async def test_while_the_store_is_away_whom_we_knew_is_known(
    subject: Access, store: FakeCredentials, clock: ManualClock
) -> None:
    await subject.authenticate(Presented("agent"))
    with pytest.raises(UnauthenticatedError):
        await subject.authenticate(Presented("guess"))
    store.away = True
    clock.advance(3_600)
    assert await subject.authenticate(Presented("agent")) == AGENT
    for unknown in ("operator", "guess"):
        with pytest.raises(UnavailableError):
            await subject.authenticate(Presented(unknown))


async def test_guessing_does_not_fill_the_memory(
    subject: Access, store: FakeCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "REMEMBERED_TOKENS", 10)
    for number in range(50):
        with pytest.raises(UnauthenticatedError):
            await subject.authenticate(Presented(f"guess{number}"))
    assert len(subject._guesses) == 10
    asked = store.asked
    for odd in ("", "x" * 10_000, "ä"):
        with pytest.raises(UnauthenticatedError):
            await subject.authenticate(Presented(odd))
    assert store.asked == asked


async def test_guessing_does_not_push_out_whom_we_know(
    subject: Access, store: FakeCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "REMEMBERED_TOKENS", 10)
    await subject.authenticate(Presented("agent"))
    for number in range(50):
        with pytest.raises(UnauthenticatedError):
            await subject.authenticate(Presented(f"guess{number}"))
    store.away = True
    assert await subject.authenticate(Presented("agent")) == AGENT


async def test_a_token_that_was_unknown_is_known_soon_after_it_is_made(
    subject: Access, store: FakeCredentials, clock: ManualClock
) -> None:
    with pytest.raises(UnauthenticatedError):
        await subject.authenticate(Presented("new"))
    store.principals[token_hash("new")] = AGENT
    clock.advance(REMEMBERED_SECONDS)
    assert await subject.authenticate(Presented("new")) == AGENT


@pytest.mark.parametrize("permission", sorted(set(Permission) - {Permission.SELF}))
def test_an_agent_may_read_and_report_about_its_own_and_nothing_else(subject: Access, permission: Permission) -> None:
    subject.authorise(OPERATOR, permission, Place("shop", "dev"))
    for environment in ("prod", "dev"):
        if environment == "prod" and permission in {Permission.SNAPSHOTS_READ, Permission.FLEET_REPORT}:
            subject.authorise(AGENT, permission, Place("shop", environment))
        else:
            with pytest.raises(ForbiddenError, match=permission):
                subject.authorise(AGENT, permission, Place("shop", environment))


BY = Attribution("operator")
KEY_ROLES = sorted(set(Role) - {Role.AGENT, Role.OPERATOR})


async def test_a_key_that_is_revoked_here_stops_working_at_once(subject: Access, keys: ApiKeys) -> None:
    made, secret = await keys.create(NewApiKey("alice", Role.EDITOR), OPERATOR, BY)
    assert await subject.authenticate(Presented(secret)) == holder("alice", Role.EDITOR)
    await keys.revoke(made.id, BY)
    with pytest.raises(UnauthenticatedError):
        await subject.authenticate(Presented(secret))


async def test_an_expired_key_is_refused_also_while_the_store_is_away(
    subject: Access, keys: ApiKeys, store: FakeCredentials, clock: ManualClock
) -> None:
    end = clock.now() + timedelta(seconds=10)
    _, secret = await keys.create(NewApiKey("ci", Role.EDITOR, "", end), OPERATOR, BY)
    assert (await subject.authenticate(Presented(secret))).id == "ci"
    store.away = True
    clock.advance(9)
    assert (await subject.authenticate(Presented(secret))).id == "ci"
    clock.advance(1)
    with pytest.raises(UnauthenticatedError):
        await subject.authenticate(Presented(secret))


@pytest.mark.parametrize("after", [timedelta(0), -timedelta(days=1), LONGEST_LIFE + timedelta(seconds=1)])
async def test_a_key_ends_ahead_and_not_too_far(keys: ApiKeys, clock: ManualClock, after: timedelta) -> None:
    with pytest.raises(InvalidError, match="/expires_at"):
        await keys.create(NewApiKey("ci", Role.EDITOR, "", clock.now() + after), OPERATOR, BY)


@pytest.mark.parametrize("own", Role)
@pytest.mark.parametrize("role", KEY_ROLES)
async def test_nobody_makes_a_key_that_may_do_more_than_its_maker(keys: ApiKeys, own: Role, role: Role) -> None:
    maker = holder("maker", own)
    if PERMISSIONS[role] <= PERMISSIONS[own]:
        await keys.create(NewApiKey("new", role), maker, BY)
    else:
        with pytest.raises(ForbiddenError):
            await keys.create(NewApiKey("new", role), maker, BY)

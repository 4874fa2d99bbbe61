"""The arithmetic of lockouts and the life of a session: what holds whatever happens, in whatever order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.people.lockout import Guesses, Lockout, attempt
from control_plane.domain.people.provider import return_path
from control_plane.domain.people.session import (
    Carrier,
    Lifetime,
    Session,
    csrf_token,
    is_csrf_token,
    new_secret,
    secret_hash,
)
from control_plane.domain.people.user import User

seconds = st.floats(0, 1e6, allow_nan=False)
rules = st.builds(
    lambda free, first, cap, forget: Lockout(free, first, max(first, cap), forget),
    st.integers(1, 20),
    st.floats(0.1, 100),
    st.floats(1, 10_000),
    st.floats(1, 10_000),
)


@given(rules, st.lists(seconds, max_size=60))
def test_nobody_waits_longer_than_the_cap_whatever_the_clock_does(rule: Lockout, moments: list[float]) -> None:
    guesses = Guesses()
    for now in moments:
        wait, guesses = attempt(guesses, now, rule)
        assert 0 <= wait <= rule.cap + 1e-6


@given(rules, st.lists(st.floats(0, 1_000), min_size=1, max_size=80))
def test_whoever_waits_as_long_as_told_may_try(rule: Lockout, pauses: list[float]) -> None:
    guesses, now = Guesses(), 0.0
    for pause in pauses:
        now += pause
        wait, guesses = attempt(guesses, now, rule)
        if wait:
            again, guesses = attempt(guesses, now + wait + 1e-3, rule)
            assert again == 0
            now += wait + 1e-3


@given(rules, st.integers(1, 200))
def test_knocking_while_one_waits_changes_nothing(rule: Lockout, knocks: int) -> None:
    guesses = Guesses()
    for _ in range(rule.free):
        _, guesses = attempt(guesses, 0.0, rule)
    locked = guesses
    for number in range(knocks):
        now = rule.first * number / knocks * 0.99
        wait, guesses = attempt(guesses, now, rule)
        assert wait > 0
        assert guesses == locked
        assert abs(now + wait - rule.first) < 1e-6


@given(rules, st.floats(1, 10_000))
def test_a_guesser_gets_no_more_than_the_waits_allow(rule: Lockout, day: float) -> None:
    """Asking at every moment when it is allowed, the number of guesses is bounded by the cap."""
    guesses, now, made = Guesses(), 0.0, 0
    while now < day and made < 5_000:
        wait, guesses = attempt(guesses, now, rule)
        made += not wait
        now += wait + 1e-6 if wait else 0.0
    assert made <= rule.free + 18 + day / rule.cap  # 18 doublings are enough for the longest cap


@given(rules)
def test_waits_only_grow_and_reach_the_cap(rule: Lockout) -> None:
    waits = [rule.wait_after(failures) for failures in range(200)]
    assert waits == sorted(waits)
    assert waits[: rule.free] == [0.0] * rule.free
    assert waits[-1] == rule.cap


NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANNA = User(UUID(int=1), "anna", "", external=False, generation=1, created_at=NOW, created_by="operator")
spans = st.timedeltas(timedelta(seconds=1), timedelta(days=2))


@given(spans, spans, st.lists(st.timedeltas(timedelta(hours=-1), timedelta(hours=10)), max_size=30))
def test_a_session_that_is_over_stays_so_and_none_outlives_its_end(
    idle: timedelta, absolute: timedelta, steps: list[timedelta]
) -> None:
    session = begun = Session.begin(ANNA, Carrier.COOKIE, NOW, Lifetime(idle, absolute), None)
    now = NOW
    for step in steps:
        now += step
        before = session
        session = session.seen(now)
        assert session.seen_at >= before.seen_at
        assert session.expires_at <= session.ends_at == NOW + absolute
        assert not before.is_over(now) or session == before
        if now >= NOW + absolute:
            assert session.is_over(now)
    assert replace(session, seen_at=NOW) == begun


@given(st.sampled_from(Carrier))
def test_a_csrf_token_belongs_to_one_secret_and_tells_nothing_of_it(carrier: Carrier) -> None:
    one, other = new_secret(carrier), new_secret(carrier)
    assert is_csrf_token(csrf_token(one), one)
    assert not is_csrf_token(csrf_token(other), one)
    assert not is_csrf_token("", one)
    assert not is_csrf_token("ü", one)
    assert len({one, other, csrf_token(one), secret_hash(one), csrf_token(secret_hash(one))}) == 5


@given(st.text(max_size=30) | st.from_regex(r"[/\\]{1,3}[a-z.@:/\\]{0,12}", fullmatch=True))
def test_no_path_to_return_to_leads_elsewhere(asked: str) -> None:
    path = return_path(asked, "/docs")
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert "\\" not in path
    assert path.isascii()
    assert path.isprintable()
    assert " " not in path

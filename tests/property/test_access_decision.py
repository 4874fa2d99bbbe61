"""What must hold of the decision whatever was granted: nothing by default, more never allows less, order means nothing."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.access.decision import decide, may, may_grant, may_somewhere
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Grant, Principal, PrincipalKind
from control_plane.domain.access.reach import Place, Reach

NAMES = st.sampled_from(["a", "b", "global", "prod"])
KEYS = st.text("ab.*", min_size=1, max_size=5).filter(lambda each: each[0] != "." and each.count("*") <= 4)
REACHES = st.one_of(
    st.just(Reach()),
    st.builds(Reach, NAMES | st.just("*")),
    st.builds(Reach, NAMES | st.just("*"), NAMES | st.just("*")),
    st.builds(Reach, NAMES | st.just("*"), NAMES | st.just("*"), KEYS),
)
PLAIN_KEYS = st.none() | st.text("ab.", min_size=1, max_size=5).filter(lambda each: each[0] != ".")
PLACES = st.one_of(
    st.builds(Place, key=PLAIN_KEYS),
    st.builds(Place, NAMES, key=PLAIN_KEYS),
    st.builds(Place, NAMES, NAMES, PLAIN_KEYS),
)
PERMISSIONS = st.sampled_from([Permission.CONFIGS_READ, Permission.VALUES_READ, Permission.CONFIGS_WRITE])
GRANTS = st.lists(
    st.builds(Grant, st.just("r"), st.frozensets(PERMISSIONS, max_size=3), REACHES, st.just("test")), max_size=5
)


def somebody(grants: list[Grant]) -> Principal:
    return Principal("anna", PrincipalKind.USER, tuple(grants))


@given(GRANTS, PERMISSIONS, PLACES)
def test_nothing_is_allowed_that_no_single_grant_allows(
    grants: list[Grant], permission: Permission, place: Place
) -> None:
    allowed = decide(somebody(grants), permission, place)
    assert allowed.allowed is any(permission in each.permissions and each.reach.covers(place) for each in grants)
    assert allowed.allowed is may(somebody(grants), permission, place)
    if allowed.grant is not None:
        assert allowed.grant in grants


@given(GRANTS, GRANTS, PERMISSIONS, PLACES)
def test_more_grants_never_allow_less(
    grants: list[Grant], more: list[Grant], permission: Permission, place: Place
) -> None:
    if may(somebody(grants), permission, place):
        assert may(somebody(grants + more), permission, place)
    if may_somewhere(somebody(grants), permission, place):
        assert may_somewhere(somebody(grants + more), permission, place)


@given(GRANTS, PERMISSIONS, PLACES, st.randoms())
def test_the_order_of_grants_means_nothing(
    grants: list[Grant], permission: Permission, place: Place, chance: random.Random
) -> None:
    shuffled = chance.sample(grants, len(grants))
    assert may(somebody(grants), permission, place) is may(somebody(shuffled), permission, place)
    assert somebody(grants).role is somebody(shuffled).role


@given(REACHES, REACHES, PLACES)
def test_what_contains_another_reach_covers_whatever_that_covers(one: Reach, other: Reach, place: Place) -> None:
    assert one.contains(one)
    if one.contains(other) and other.covers(place):
        assert one.covers(place)
        assert one.touches(place)


@given(REACHES, REACHES, REACHES)
def test_containing_goes_on(one: Reach, other: Reach, third: Reach) -> None:
    if one.contains(other) and other.contains(third):
        assert one.contains(third)


@given(REACHES, PLACES)
def test_who_may_do_it_to_a_whole_may_do_it_to_each_part(reach: Reach, place: Place) -> None:
    if not reach.covers(place):
        return
    assert reach.touches(place)
    if place.key is None:
        assert reach.covers(replace(place, key="any"))
        if place.app_id is not None and place.environment is None:
            assert reach.covers(replace(place, environment="any"))


@given(GRANTS, REACHES, PLACES, PERMISSIONS)
def test_whoever_is_granted_something_by_another_has_no_more_than_that_one(
    grants: list[Grant], reach: Reach, place: Place, permission: Permission
) -> None:
    giver = somebody(grants)
    if not may_grant(giver, frozenset({permission}), reach):
        taker = somebody([Grant("r", frozenset({permission}), reach, "giver")])
        if may(taker, permission, place):
            assert may(giver, permission, place)


@given(REACHES)
def test_a_reach_is_read_as_it_is_written(reach: Reach) -> None:
    assert Reach.parse(str(reach)) in {reach, Reach()} if str(reach) == "global" else Reach.parse(str(reach)) == reach

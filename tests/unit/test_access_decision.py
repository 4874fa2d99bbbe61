"""The one decision: every built-in role, at every place, against every reach that there can be of it."""

from itertools import product

import pytest

from control_plane.domain.access.decision import decide, may, may_grant, may_somewhere
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal, PrincipalKind, agent_of, built_in, holder
from control_plane.domain.access.reach import EVERYWHERE, Place, Reach
from control_plane.domain.access.role import PERMISSIONS, STRENGTH, Role

REACHES = {
    "global": lambda _: True,
    "billing": lambda at: at.app_id == "billing",
    "*": lambda at: at.app_id is not None,
    "billing/prod": lambda at: (at.app_id, at.environment) == ("billing", "prod"),
    "*/prod": lambda at: at.app_id is not None and at.environment == "prod",
    "billing/*": lambda at: at.app_id == "billing" and at.environment is not None,
    "*/*": lambda at: at.environment is not None,
    "billing/prod/db.*": lambda at: (
        (at.app_id, at.environment) == ("billing", "prod") and (at.key or "").startswith("db.")
    ),
    "billing/*/db.*": lambda at: at.app_id == "billing" and bool(at.environment) and (at.key or "").startswith("db."),
    "*/*/*.url": lambda at: bool(at.environment) and (at.key or "").endswith(".url"),
    "billing/prod/db.pool": lambda at: at == Place("billing", "prod", "db.pool"),
}
"""Each with what it covers, said in another way."""
SCOPES = [(None, None), ("billing", None), ("shipping", None), *product(("billing", "shipping"), ("prod", "dev"))]
PLACES = [Place(*scope, key) for scope in SCOPES for key in (None, "db.pool", "db.url", "db", "cache.url", "DB.pool")]


def somebody(*grants: tuple[Role, str]) -> Principal:
    held = tuple(built_in(role, Reach.parse(reach)) for role, reach in grants)
    return Principal("anna", PrincipalKind.USER, held)


@pytest.mark.parametrize("reach", REACHES)
def test_each_role_may_do_what_it_says_as_far_as_its_grant_reaches_and_nothing_else(reach: str) -> None:
    decided = 0
    for role, permission, place in product(Role, Permission, PLACES):
        who = somebody((role, reach))
        expected = permission is Permission.SELF or (permission in PERMISSIONS[role] and REACHES[reach](place))
        decision = decide(who, permission, place)
        assert decision.allowed is may(who, permission, place) is expected, (role, permission, place)
        assert decision.because
        assert (decision.grant is not None) is (expected and permission is not Permission.SELF)
        decided += 1
    assert decided == len(Role) * len(Permission) * len(PLACES)


def test_without_a_grant_nothing_is_allowed() -> None:
    for permission, place in product(set(Permission) - {Permission.SELF}, PLACES):
        assert not decide(somebody(), permission, place).allowed
        assert not may_somewhere(somebody(), permission, place)


def test_something_of_a_place_is_less_than_all_of_it() -> None:
    who = somebody((Role.VIEWER, "billing/prod/db.*"))
    for place in (EVERYWHERE, Place("billing"), Place("billing", "prod"), Place("billing", "prod", "db.pool")):
        assert may_somewhere(who, Permission.CONFIGS_READ, place)
    for place in (
        Place("shipping"),
        Place("billing", "dev"),
        Place("billing", "prod", "cache.ttl"),
        Place("billing", None, "db.pool"),
    ):
        assert not may_somewhere(who, Permission.CONFIGS_READ, place), place


def test_nobody_gives_away_what_is_not_his() -> None:
    who = somebody((Role.VIEWER, "global"), (Role.PUBLISHER, "billing/prod"))
    publisher = PERMISSIONS[Role.PUBLISHER]
    assert may_grant(who, publisher, Reach.parse("billing/prod")) == []
    assert may_grant(who, publisher, Reach.parse("billing/prod/db.*")) == []
    assert may_grant(who, PERMISSIONS[Role.VIEWER], Reach.parse("*")) == []
    for reach in ("billing", "*/prod", "billing/*", "billing/*/db.*", "shipping/prod", "global"):
        assert Permission.CONFIGS_WRITE in may_grant(who, publisher, Reach.parse(reach)), reach


def test_a_refusal_says_what_is_missing_and_nothing_of_what_there_is() -> None:
    who = somebody((Role.VIEWER, "billing/prod"))
    elsewhere = decide(who, Permission.CONFIGS_READ, Place("shipping", "prod", "db.pool")).because
    assert "billing/prod only" in elsewhere
    assert "the role viewer lacks" in decide(who, Permission.CONFIGS_WRITE, Place("billing", "prod")).because
    assert "nothing is granted" in decide(somebody(), Permission.CONFIGS_WRITE, Place("billing", "prod")).because


def test_who_acts_in_which_role_is_what_lets_it_do_so_there() -> None:
    who = somebody((Role.ADMIN, "billing/dev"), (Role.APPROVER, "billing/prod"), (Role.PUBLISHER, "billing/prod"))
    prod, dev = Place("billing", "prod", "a"), Place("billing", "dev", "a")
    assert who.role is Role.ADMIN
    assert who.role_at(Permission.CHANGES_APPROVE, [prod]) is Role.APPROVER
    assert who.role_at(Permission.CHANGES_APPROVE, [dev]) is Role.ADMIN
    assert who.role_at(Permission.CHANGES_APPROVE, [dev, prod]) is Role.APPROVER
    assert who.role_at(Permission.CONFIGS_WRITE, [prod]) is Role.PUBLISHER


@pytest.mark.parametrize("text", REACHES)
def test_a_reach_is_read_as_it_is_written(text: str) -> None:
    assert str(Reach.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "billing/",
        "/prod",
        "Billing",
        "billing/prod/",
        "a/b/c/d",
        "global/prod",
        "b*/prod",
        "a/b/[a-z]",
        "a/b/?",
        "a/b/*****",
        "a/b/\n",
        "a/b/ü",
        "../x",
        "a\0",
        "a/b/" + "x" * 256,
    ],
)
def test_what_is_no_reach_is_none(text: str) -> None:
    if text == "global/prod":  # an application may be called so
        assert Reach.parse(text).app_id == "global"
        return
    with pytest.raises(ValueError, match="is not a reach"):
        Reach.parse(text)


def test_every_role_has_its_strength() -> None:
    assert set(STRENGTH) == set(Role)
    assert holder("operator", Role.OPERATOR).everywhere == frozenset(Permission) - {Permission.SELF}
    agent = agent_of("billing", "prod", "agent:1")
    assert agent.everywhere == frozenset()
    assert may(agent, Permission.SNAPSHOTS_READ, Place("billing", "prod"))
    assert not may(agent, Permission.SNAPSHOTS_READ, Place("billing", "dev"))

"""Which policies a change meets, and what they ask for together."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.policy import (
    NewPolicy,
    Policy,
    Requirements,
    combined,
    matching,
    policy_violations,
    requirements,
)
from control_plane.domain.window import Window
from shared.domain.scope import Scope

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ENVIRONMENTS = [("billing", "prod"), ("billing", "staging"), ("mail", "dev"), ("mail", "prod")]


def policy(pattern: str = "*/prod", **more: Any) -> Policy:
    about = {"id": UUID(int=1), "version": 1, "created_at": NOW, "created_by": "olga", "updated_at": NOW}
    return Policy(**{"name": pattern, "pattern": pattern, "updated_by": "olga"} | about | more)


@pytest.mark.parametrize(
    ("pattern", "scope", "applies"),
    [
        ("*/prod", Scope("billing", "prod"), True),
        ("*/prod", Scope("billing", "staging"), False),
        ("*/prod", Scope("billing"), True),
        ("*/prod", Scope(), True),
        ("*/prod", Scope("lonely"), False),
        ("billing/prod", Scope("mail", "prod"), False),
        ("billing/prod", Scope("mail"), False),
        ("billing/prod", Scope("billing"), True),
        ("billing/*", Scope("billing", "qa"), True),
        ("mail/qa", Scope("mail"), False),
        ("mail/qa", Scope(), False),
        ("b*/s*", Scope("billing"), True),
        ("b*/s*", Scope("mail"), False),
        ("*/*", Scope(), True),
        ("billing", Scope("billing"), True),
        ("billing", Scope(), True),
        ("billing", Scope("billing", "prod"), False),
        ("*", Scope("anything"), True),
        ("global", Scope(), True),
        ("global", Scope("billing"), False),
        ("global", Scope("global"), False),
        ("global", Scope("billing", "prod"), False),
    ],
)
def test_a_policy_applies_to_what_reaches_its_scopes(pattern: str, scope: Scope, applies: bool) -> None:  # noqa: FBT001 - an example
    assert bool(matching([policy(pattern)], scope, ENVIRONMENTS)) is applies


def test_a_change_meets_the_policies_of_all_its_scopes() -> None:
    prod, dev, other = policy("*/prod"), policy("*/dev"), policy("x/y")
    scopes = [Scope("billing", "prod"), Scope("mail", "dev")]
    assert requirements([prod, dev, other], scopes, ENVIRONMENTS).policies == (prod, dev)
    assert requirements([prod], [Scope("mail", "dev")], ENVIRONMENTS) == Requirements()
    assert requirements([], scopes, ENVIRONMENTS) == Requirements()


def test_of_several_policies_the_strictest_counts() -> None:
    both = combined(
        [
            policy(required_approvals=2, approver_roles=(Role.APPROVER, Role.ADMIN), expires_after=timedelta(days=2)),
            policy(required_approvals=1, approver_roles=(Role.ADMIN, Role.OPERATOR), require_reason=True),
            policy(allowed_roles=(Role.PUBLISHER, Role.ADMIN), expires_after=timedelta(days=1)),
            policy(allowed_roles=(Role.EDITOR, Role.ADMIN)),
        ]
    )
    assert (both.approvals, both.approver_roles, both.allowed_roles) == (2, {Role.ADMIN}, {Role.ADMIN})
    assert (both.require_reason, both.expires_after) == (True, timedelta(days=1))


def test_every_policy_needs_a_window_that_is_open() -> None:
    morning, noon = Window("0 8 * * *", timedelta(hours=6)), Window("0 12 * * *", timedelta(hours=6))
    night = Window("0 22 * * *", timedelta(hours=1))
    one, other, always = policy(windows=(morning,)), policy(windows=(noon, night)), policy()
    both = combined([one, other, always])
    assert both.closed(NOW.replace(hour=13)) == []
    assert both.closed(NOW.replace(hour=11)) == [other]
    assert both.closed(NOW.replace(hour=22)) == [one]
    assert both.next_opening(NOW.replace(hour=15)) == NOW.replace(day=2, hour=12)
    assert combined([policy(windows=(morning,)), policy(windows=(night,))]).next_opening(NOW) is None


@pytest.mark.parametrize(
    ("more", "pointers"),
    [
        ({}, []),
        ({"pattern": ""}, ["/pattern"]),
        ({"pattern": "a/b/c"}, ["/pattern"]),
        ({"pattern": "A/*"}, ["/pattern"]),
        ({"pattern": "/prod"}, ["/pattern"]),
        ({"required_approvals": -1}, ["/required_approvals"]),
        ({"required_approvals": 11}, ["/required_approvals"]),
        ({"approver_roles": (Role.APPROVER, Role.VIEWER)}, ["/approver_roles/1"]),
        ({"approver_roles": ()}, ["/approver_roles"]),
        ({"allowed_roles": (Role.AGENT,)}, ["/allowed_roles/0"]),
        ({"windows": (Window("x", timedelta()),)}, ["/windows/0/duration", "/windows/0/schedule"]),
        ({"windows": (Window("0 * * * *", timedelta(minutes=1)),) * 21}, ["/windows"]),
        ({"expires_after": timedelta()}, ["/expires_after"]),
        ({"expires_after": timedelta(days=367)}, ["/expires_after"]),
    ],
)
def test_what_cannot_be_a_policy_is_pointed_at(more: Any, pointers: list[str]) -> None:
    violations = policy_violations(NewPolicy(**{"name": "p", "pattern": "*/prod"} | more))
    assert [each.pointer for each in violations] == pointers

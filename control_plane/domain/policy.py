"""Policies: what a change needs before it may be committed, by the scopes that it reaches.

A policy names scopes by a pattern: `global`, `<app>` or `<app>/<environment>`, where `*` stands for any part of a name.
It applies to a change that *reaches* a scope it names: what is written for an application is seen in each of its
environments, so a policy for `*/prod` holds for it as well, and for a change of the global scope.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from uuid import UUID

from control_plane.domain.access.role import Role
from control_plane.domain.staging import Staging, staging_violations, strictest
from control_plane.domain.window import Window, window_violations
from shared.domain.codec import Json
from shared.domain.scope import Scope
from shared.wire.problem import Violation

MAX_APPROVALS = 10
MAX_WINDOWS = 20
MAX_POLICIES = 200
"""Of an installation: all of them are looked at for every change."""
LONGEST_WAIT = timedelta(days=366)
"""How long a change may wait for its approvals at most."""
APPROVERS = (Role.APPROVER, Role.ADMIN, Role.OPERATOR)
"""Roles that may approve anything at all."""
WRITERS = (Role.EDITOR, Role.PUBLISHER, Role.ADMIN, Role.OPERATOR)
"""Roles that may propose changes at all."""

_PART = r"[a-z0-9*][a-z0-9*-]{0,62}"
_PATTERN = re.compile(rf"{_PART}(/{_PART})?")
_GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """A policy as it is asked for.

    Roles None: whoever may do it at all. `windows`: changes are committed only while one of them is open; none: always.
    `guards`: settings of guards by their names. `expires_after`: how long a change may wait for its approvals.
    `staging`: changes go as rollouts, and what these must have; None: they need not.
    """

    name: str
    pattern: str
    description: str = ""
    required_approvals: int = 0
    approver_roles: tuple[Role, ...] | None = None
    allowed_roles: tuple[Role, ...] | None = None
    windows: tuple[Window, ...] = ()
    require_reason: bool = False
    guards: Mapping[str, Json] = field(default_factory=dict)
    expires_after: timedelta | None = None
    staging: Staging | None = None

    def applies_to(self, scope: Scope, environments: Iterable[tuple[str, str]]) -> bool:
        """Whether a change of this scope reaches what the pattern names; `environments` are all that there are."""
        app, _, environment = self.pattern.partition("/")
        if not environment:
            return scope.app_id is None or (
                scope.environment is None and app != _GLOBAL and fnmatchcase(scope.app_id, app)
            )
        if scope.app_id is not None and scope.environment is not None:
            return fnmatchcase(scope.app_id, app) and fnmatchcase(scope.environment, environment)
        return any(
            fnmatchcase(each, app) and fnmatchcase(its, environment)
            for each, its in environments
            if scope.app_id in {None, each}
        )

    def is_open(self, at: datetime) -> bool:
        """Whether changes may be committed now."""
        return not self.windows or any(each.is_open(at) for each in self.windows)

    def next_opening(self, after: datetime) -> datetime | None:
        """When a window opens next; None without windows."""
        return min(filter(None, (each.next_opening(after) for each in self.windows)), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(NewPolicy):
    """A policy that is in force. `version` counts its edits."""

    id: UUID
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True)
class Requirements:
    """What several policies ask for together: of each, the strictest. Without policies, nothing.

    How strict guards are is settled in `control_plane/domain/guards.py`.
    """

    policies: tuple[Policy, ...] = ()
    approvals: int = 0
    approver_roles: frozenset[Role] = frozenset(APPROVERS)
    allowed_roles: frozenset[Role] | None = None
    require_reason: bool = False
    expires_after: timedelta | None = None
    staging: Staging | None = None

    def closed(self, at: datetime) -> list[Policy]:
        """The policies of whose windows none is open; every policy must have one that is."""
        return [each for each in self.policies if not each.is_open(at)]

    def next_opening(self, after: datetime, tries: int = 100) -> datetime | None:
        """When the windows of all policies are open together next, as far as it is looked for."""
        at = after
        for _ in range(tries):
            openings = [each.next_opening(at) for each in self.closed(at)]
            if not openings:
                return at
            known = [each for each in openings if each is not None]
            if len(known) < len(openings):
                return None
            at = max(known)
        return None

    def asking_for_approval(self) -> list[Policy]:
        """The policies that want approvals."""
        return [each for each in self.policies if each.required_approvals]

    def asking_for_staging(self) -> list[Policy]:
        """The policies that let changes pass as rollouts only."""
        return [each for each in self.policies if each.staging is not None]


def matching(policies: Sequence[Policy], scope: Scope, environments: Iterable[tuple[str, str]]) -> list[Policy]:
    """The policies that apply to a change of this scope."""
    return [each for each in policies if each.applies_to(scope, environments)]


def requirements(
    policies: Sequence[Policy], scopes: Iterable[Scope], environments: Sequence[tuple[str, str]]
) -> Requirements:
    """What the policies ask of a change that touches these scopes."""
    if not policies:
        return _NONE
    touched = set(scopes)
    found = [each for each in policies if any(each.applies_to(scope, environments) for scope in touched)]
    return combined(found)


def combined(policies: Sequence[Policy]) -> Requirements:
    """All that these policies ask for."""
    if not policies:
        return _NONE
    approvers = frozenset(APPROVERS)
    allowed: frozenset[Role] | None = None
    for each in policies:
        approvers &= frozenset(each.approver_roles or APPROVERS)
        if each.allowed_roles is not None:
            allowed = frozenset(each.allowed_roles) & (allowed if allowed is not None else frozenset(WRITERS))
    return Requirements(
        policies=tuple(policies),
        approvals=max(each.required_approvals for each in policies),
        approver_roles=approvers,
        allowed_roles=allowed,
        require_reason=any(each.require_reason for each in policies),
        expires_after=min(filter(None, (each.expires_after for each in policies)), default=None),
        staging=strictest(each.staging for each in policies if each.staging is not None),
    )


def policy_violations(policy: NewPolicy) -> Iterator[Violation]:
    """What makes a policy one that cannot be used, if anything."""
    if _PATTERN.fullmatch(policy.pattern) is None:
        yield Violation(
            "/pattern", "a pattern is global, <app> or <app>/<environment>; * stands for any part of a name"
        )
    if not 0 <= policy.required_approvals <= MAX_APPROVALS:
        yield Violation("/required_approvals", f"from 0 to {MAX_APPROVALS}")
    yield from _role_violations("/approver_roles", policy.approver_roles, APPROVERS)
    yield from _role_violations("/allowed_roles", policy.allowed_roles, WRITERS)
    if len(policy.windows) > MAX_WINDOWS:
        yield Violation("/windows", f"at most {MAX_WINDOWS} windows")
    for index, window in enumerate(policy.windows[:MAX_WINDOWS]):
        yield from window_violations(f"/windows/{index}", window)
    if policy.expires_after is not None and not timedelta() < policy.expires_after <= LONGEST_WAIT:
        yield Violation("/expires_after", f"more than 0 s and at most {LONGEST_WAIT.days} days")
    if policy.staging is not None:
        yield from staging_violations("/staging", policy.staging)


def _role_violations(pointer: str, roles: Sequence[Role] | None, able: Sequence[Role]) -> Iterator[Violation]:
    if roles is None:
        return
    if not roles:
        yield Violation(pointer, "name one role at least; null: whoever may do it at all")
    for index, role in enumerate(roles):
        if role not in able:
            yield Violation(f"{pointer}/{index}", f"the role {role} may not do this; these may: {', '.join(able)}")


_NONE = Requirements()

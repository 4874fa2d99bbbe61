"""The one decision about what a principal may do. Nothing is allowed that no grant allows."""

from dataclasses import dataclass

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Grant, Principal
from control_plane.domain.access.reach import Place, Reach

SHOWN_GRANTS = 5
"""How many grants a reason names at most."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is allowed, why, and by which grant."""

    allowed: bool
    because: str
    grant: Grant | None = None


def decide(principal: Principal, permission: Permission, place: Place) -> Decision:
    """Whether the principal may do this to all of this place."""
    if permission is Permission.SELF:
        return Decision(True, "everybody who is known may do this about himself")
    for each in principal.grants:
        if permission in each.permissions and each.reach.covers(place):
            return Decision(True, f"{_told(each)}, has the permission {permission}", each)
    return Decision(False, _why_not(principal, permission, place))


def may(principal: Principal, permission: Permission, place: Place) -> bool:
    """The same, without its reasons: what every request asks."""
    if permission in principal.everywhere or permission is Permission.SELF:
        return True
    return any(permission in each.permissions and each.reach.covers(place) for each in principal.grants)


def may_somewhere(principal: Principal, permission: Permission, place: Place) -> bool:
    """Whether it may do this to something that lies in the place: of all applications, to one environment is enough."""
    if permission in principal.everywhere or permission is Permission.SELF:
        return True
    return any(permission in each.permissions and each.reach.touches(place) for each in principal.grants)


def may_grant(principal: Principal, permissions: frozenset[Permission], reach: Reach) -> list[Permission]:
    """Which of these permissions the principal does not have itself, there: nobody gives away what is not his."""
    own = [each for each in principal.grants if each.reach.contains(reach)]
    return sorted(permissions.difference(*(each.permissions for each in own)))


def _why_not(principal: Principal, permission: Permission, place: Place) -> str:
    elsewhere = [each for each in principal.grants if permission in each.permissions]
    if elsewhere:
        reaches = sorted({str(each.reach) for each in elsewhere})
        return f"{principal.id} has the permission {permission} for {_some(reaches)} only, which is not all of {place}"
    here = sorted({each.role for each in principal.grants if each.reach.covers(place)})
    if here:
        return f"this needs the permission {permission}, which the role {_some(here)} lacks"
    return f"this needs the permission {permission} for {place}, and nothing is granted to {principal.id} there"


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN_GRANTS
    return ", ".join(names[:SHOWN_GRANTS]) + (f" and {more} more" if more > 0 else "")


def _told(grant: Grant) -> str:
    return f"the role {grant.role}, granted for {grant.reach} by {grant.source}"

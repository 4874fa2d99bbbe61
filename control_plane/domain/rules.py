"""What changes are checked against: the schemas, the policies, and the environments that a change can reach."""

from dataclasses import dataclass

from control_plane.domain.policy import Policy
from control_plane.domain.schema import Schema


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All of it at one instant. A draft that was checked against another `revision` is refused.

    `environments` are the app/environment pairs that are not archived, in their order.
    """

    revision: int = 0
    schemas: tuple[Schema, ...] = ()
    environments: tuple[tuple[str, str], ...] = ()
    policies: tuple[Policy, ...] = ()

"""What changes are checked against: policies and schemas, and what stands where they apply."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from control_plane.domain.attribution import Attribution
from control_plane.domain.effects import Standing
from control_plane.domain.link_view import Nodes
from control_plane.domain.policy import NewPolicy, Policy
from control_plane.domain.rules import RuleSet
from control_plane.domain.schema import Checked, Schema
from control_plane.domain.sizes import Size
from control_plane.ports.pages import Page
from shared.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class Stand:
    """The live entries of some keys in all scopes, secrets included, and the revision at which they are that.

    `secrets` are the places at which a secret stands or stood last: what is put there is one, unless it is said.
    """

    revision: int
    entries: Standing
    secrets: frozenset[tuple[Scope, str]] = frozenset()


class RuleBook(Protocol):
    """What changes are checked against: the rules, and what stands already. Read from where it is written."""

    async def revision(self) -> int:
        """The revision that the rules are at."""
        ...

    async def rules(self) -> RuleSet:
        """Schemas, policies and environments, read in one instant."""
        ...

    async def stand(self, keys: Sequence[str], apps: Sequence[str] | None) -> Stand:
        """What stands for these keys, globally and in these applications (None: in all)."""
        ...

    async def stand_like(self, pattern: str, app_id: str | None) -> Stand:
        """What stands for the keys of a pattern with `*`, globally and in one application (None: in all)."""
        ...

    async def links(self, touched: Sequence[str], refs: Sequence[str], apps: Sequence[str] | None) -> tuple[int, Nodes]:
        """What refers to what around the touched keys, globally and in these applications, and the revision of that.

        That is: where the references of the touched keys, and `refs`, lead, and all that refers to the touched keys.
        """
        ...

    async def sizes(self, apps: Sequence[str] | None) -> dict[tuple[str, str], Size]:
        """How large the effective snapshots of these applications' environments are (None: of all)."""
        ...


class Schemas(Protocol):
    """The schemas of configs. Writing one alters the rules that changes are checked against."""

    async def get(self, schema_id: UUID) -> Schema:
        """One schema.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, app_id: str | None, *, limit: int, cursor: str | None) -> Page[Schema]:
        """Schemas by application and pattern; `app_id` "" means those of all applications, None any."""
        ...

    async def put(self, checked: Checked, by: Attribution) -> Schema:
        """Make a schema or alter it, if what it was checked against is as it was then.

        Raises:
            ValuesMovedError: it is not.
            NotFoundError: its application is not registered.
            ConflictError: there is another one of this application and pattern.
            VersionMismatchError: it is not of the version that was read.
        """
        ...

    async def drop(self, schema_id: UUID, version: int | None, by: Attribution) -> None:
        """Take a schema away.

        Raises:
            NotFoundError: there is none.
            VersionMismatchError: it is not of this version.
        """
        ...


class Policies(Protocol):
    """What changes need before they are committed. Each act moves the rules on, and is attributed and audited."""

    async def create(self, asked: NewPolicy, by: Attribution) -> Policy:
        """Put a policy in force.

        Raises:
            ConflictError: another one has this name.
            InvalidError: there are too many.
        """
        ...

    async def get(self, policy_id: UUID) -> Policy:
        """One policy.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, *, limit: int, cursor: str | None) -> Page[Policy]:
        """Policies by name."""
        ...

    async def replace(self, policy_id: UUID, version: int, asked: NewPolicy, by: Attribution) -> Policy:
        """Let a policy say something else.

        Raises:
            NotFoundError: there is none.
            VersionMismatchError: somebody changed it since.
            ConflictError: another one has this name.
        """
        ...

    async def delete(self, policy_id: UUID, version: int, by: Attribution) -> None:
        """Take a policy away.

        Raises:
            NotFoundError: there is none.
            VersionMismatchError: somebody changed it since.
        """
        ...

"""Policies (port `Policies`): kept as a document beside their names; each act moves the rules on."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ConflictError, InvalidError, NotFoundError, VersionMismatchError
from control_plane.domain.policy import MAX_POLICIES, NewPolicy, Policy
from control_plane.domain.staging import Staging
from control_plane.domain.window import Window
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import page, read_cursor
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.rows import attributed
from shared.domain.codec import Json, decode, encode
from shared.wire.problem import Violation

_LIST = sql("list_policies")
_GET = sql("get_policy")
_SET = sql("set_policy")
_KIND = "policy"


class PostgresPolicies:
    """Makes, changes and takes away policies."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create(self, asked: NewPolicy, by: Attribution) -> Policy:
        """Put a policy in force."""
        return await self.get(await self._set(None, None, asked, by))

    async def get(self, policy_id: UUID) -> Policy:
        """One policy."""
        row = await fetch_row(self._pool, _GET, policy_id)
        if row is None:
            raise NotFoundError(_KIND, str(policy_id))
        return _policy(row)

    async def list(self, *, limit: int, cursor: str | None) -> Page[Policy]:
        """Policies by name."""
        (after,) = read_cursor(cursor, [""])
        return page(await fetch(self._pool, _LIST, after, limit + 1), limit, _policy, "name")

    async def replace(self, policy_id: UUID, version: int, asked: NewPolicy, by: Attribution) -> Policy:
        """Let a policy say something else."""
        return await self.get(await self._set(policy_id, version, asked, by))

    async def delete(self, policy_id: UUID, version: int, by: Attribution) -> None:
        """Take a policy away."""
        await self._set(policy_id, version, None, by)

    async def _set(self, policy_id: UUID | None, version: int | None, asked: NewPolicy | None, by: Attribution) -> UUID:
        document = None if asked is None else encode(policy_document(asked)).decode()
        rows = await fetch(self._pool, _SET, policy_id, version, document, MAX_POLICIES, attributed(by))
        outcome = decode(rows[0][0])
        match outcome.get("problem"):
            case "missing":
                raise NotFoundError(_KIND, str(policy_id))
            case "version":
                raise VersionMismatchError(version or 0, outcome["current"])
            case "many":
                raise InvalidError([Violation("", f"the limit policies is {MAX_POLICIES} in an installation")])
            case "name":
                msg = "Another policy has this name."
                raise ConflictError(msg, name=asked and asked.name)
            case _:
                return UUID(outcome["id"])


def policy_document(asked: NewPolicy) -> Json:
    """A policy as it is kept."""
    return {
        "name": asked.name,
        "pattern": asked.pattern,
        "description": asked.description,
        "required_approvals": asked.required_approvals,
        "approver_roles": asked.approver_roles,
        "allowed_roles": asked.allowed_roles,
        "windows": [[each.schedule, each.duration.total_seconds(), each.time_zone] for each in asked.windows],
        "require_reason": asked.require_reason,
        "guards": dict(asked.guards),
        "expires_after": asked.expires_after and asked.expires_after.total_seconds(),
        **({} if asked.staging is None else {"staging": _staging_document(asked.staging)}),
    }


def _staging_document(asked: Staging) -> Json:
    return {
        "gates": asked.gates,
        "bake": asked.bake.total_seconds(),
        "first_weight": asked.first_weight,
        "strategies": asked.strategies,
    }


def _staging(document: Json) -> Staging | None:
    return document and Staging(
        gates=tuple(document["gates"]),
        bake=timedelta(seconds=document["bake"]),
        first_weight=document["first_weight"],
        strategies=document["strategies"] and tuple(document["strategies"]),
    )


def policy(document: Json) -> Policy:
    """A policy from its JSON, which says also who made it."""
    expires_after = document["expires_after"]
    return Policy(
        id=UUID(document["id"]),
        name=document["name"],
        pattern=document["pattern"],
        description=document["description"],
        required_approvals=document["required_approvals"],
        approver_roles=_roles(document["approver_roles"]),
        allowed_roles=_roles(document["allowed_roles"]),
        windows=tuple(Window(each, timedelta(seconds=seconds), zone) for each, seconds, zone in document["windows"]),
        require_reason=document["require_reason"],
        guards=document["guards"],
        expires_after=None if expires_after is None else timedelta(seconds=expires_after),
        staging=_staging(document.get("staging")),
        version=document["version"],
        created_at=datetime.fromisoformat(document["created_at"]),
        created_by=document["created_by"],
        updated_at=datetime.fromisoformat(document["updated_at"]),
        updated_by=document["updated_by"],
    )


def _policy(row: asyncpg.Record) -> Policy:
    columns = dict(row)
    document = decode(columns.pop("document"))
    times = {name: columns[name].isoformat() for name in ("created_at", "updated_at")}
    return policy(document | columns | times | {"id": str(columns["id"])})


def _roles(names: list[str] | None) -> tuple[Role, ...] | None:
    return None if names is None else tuple(map(Role, names))

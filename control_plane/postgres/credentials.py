"""Tokens, kept as hashes (port `Credentials`)."""

from uuid import UUID

import asyncpg

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import AgentToken
from control_plane.domain.errors import NotFoundError
from control_plane.domain.principal import Principal, Role
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.registry import not_registered
from control_plane.postgres.rows import agent_token, attributed

_FIND = sql("find_credential")
_ENSURE_OPERATOR = sql("ensure_operator")
_CREATE = sql("create_agent_token")
_LIST = sql("list_agent_tokens")
_REVOKE = sql("revoke_agent_token")
_KIND = "agent token"


class PostgresCredentials:
    """Finds and keeps tokens; each act is audited in the same transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def find(self, token_hash: bytes) -> Principal | None:
        """The principal of a token that is not revoked: `operator`, or `agent:<id of its token>`."""
        row = await fetch_row(self._pool, _FIND, token_hash)
        if row is None:
            return None
        role = Role(row["role"])
        name = role.value if role is Role.OPERATOR else f"{role}:{row['id']}"
        return Principal(name, role, row["app_id"], row["environment"])

    async def ensure_operator(self, token_hash: bytes, by: Attribution) -> None:
        """Let this token be the bootstrap operator's; any earlier bootstrap token stops working."""
        await fetch(self._pool, _ENSURE_OPERATOR, token_hash, attributed(by))

    async def create_agent_token(
        self, app_id: str, environment: str, token_hash: bytes, description: str, by: Attribution
    ) -> AgentToken:
        """Keep a new agent token's hash."""
        row = await fetch_row(self._pool, _CREATE, app_id, environment, token_hash, description, attributed(by))
        if row is None:
            raise await not_registered(self._pool, app_id, environment)
        return agent_token(row)

    async def list_agent_tokens(self, app_id: str, environment: str) -> list[AgentToken]:
        """The tokens of an app/environment that are not revoked."""
        return [agent_token(row) for row in await fetch(self._pool, _LIST, app_id, environment)]

    async def revoke_agent_token(self, app_id: str, environment: str, token_id: UUID, by: Attribution) -> None:
        """Make a token stop working."""
        if await fetch_row(self._pool, _REVOKE, app_id, environment, token_id, attributed(by)) is None:
            raise NotFoundError(_KIND, str(token_id))

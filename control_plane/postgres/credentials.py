"""Tokens, kept as hashes (port `Credentials`)."""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from control_plane.domain.access.principal import Principal, agent_of, holder
from control_plane.domain.access.role import Role
from control_plane.domain.api_key import ApiKey, NewApiKey, Use
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import AgentToken
from control_plane.domain.errors import ConflictError, NotFoundError
from control_plane.ports.pages import Page
from control_plane.postgres.cursors import page, read_cursor
from control_plane.postgres.pool import fetch, fetch_row
from control_plane.postgres.queries import sql
from control_plane.postgres.registry import not_registered
from control_plane.postgres.rows import agent_token, api_key, attributed

_FIND = sql("find_credential")
_NAMED = sql("find_named_credential")
_ENSURE_OPERATOR = sql("ensure_operator")
_CREATE = sql("create_agent_token")
_LIST = sql("list_agent_tokens")
_REVOKE = sql("revoke_agent_token")
_CREATE_KEY = sql("create_api_key")
_LIST_KEYS = sql("list_api_keys")
_GET_KEY = sql("get_api_key")
_ROTATE_KEY = sql("rotate_api_key")
_REVOKE_KEY = sql("revoke_api_key")
_REKEY = sql("rekey_credential")
_USED = sql("note_credential_uses")
_KIND = "agent token"
_KEY = "API key"


class PostgresCredentials:
    """Finds and keeps tokens; each act is audited in the same transaction.

    `key` is where the key of the hashes comes from. A program that has none keeps them without; they get theirs when their
    token is shown next.
    """

    def __init__(self, pool: asyncpg.Pool, key: Callable[[], Awaitable[bytes]] | None = None) -> None:
        self._pool, self._key = pool, key

    async def find(self, token_hash: bytes) -> Principal | None:
        """The principal of a token that works: `operator`, the name of an API key, or `agent:<id of its token>`."""
        hashed, keyed = await self._hashed(token_hash)
        row = await fetch_row(self._pool, _FIND, hashed, token_hash)
        if row is not None and keyed and not row["keyed"]:
            await fetch(self._pool, _REKEY, hashed, token_hash)
        return _principal(row)

    async def _hashed(self, token_hash: bytes) -> tuple[bytes, bool]:
        """What is stored of a token, and whether it is keyed."""
        if self._key is None:
            return token_hash, False
        return hmac.digest(await self._key(), b"trimtab credential\0" + token_hash, "sha256"), True

    async def named(self, name: str) -> Principal | None:
        """The principal of the API key of this name, if it works."""
        return _principal(await fetch_row(self._pool, _NAMED, name))

    async def ensure_operator(self, token_hash: bytes, by: Attribution) -> None:
        """Let this token be the bootstrap operator's; any earlier bootstrap token stops working."""
        hashed, keyed = await self._hashed(token_hash)
        if keyed:
            await fetch(self._pool, _REKEY, hashed, token_hash)
        await fetch(self._pool, _ENSURE_OPERATOR, hashed, attributed(by), keyed)

    async def create_agent_token(
        self, app_id: str, environment: str, token_hash: bytes, description: str, by: Attribution
    ) -> AgentToken:
        """Keep a new agent token's hash."""
        hashed, keyed = await self._hashed(token_hash)
        row = await fetch_row(self._pool, _CREATE, app_id, environment, hashed, description, attributed(by), keyed)
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

    async def create_api_key(self, asked: NewApiKey, token_hash: bytes, hint: str, by: Attribution) -> ApiKey:
        """Keep a new API key's hash."""
        hashed, keyed = await self._hashed(token_hash)
        given = (asked.name, asked.role, hashed, asked.description, asked.expires_at)
        row = await fetch_row(self._pool, _CREATE_KEY, *given, attributed(by), keyed, hint, list(asked.addresses))
        if row is None:
            msg = f"There is an API key {asked.name!r} already: revoke that one first, or choose another name."
            raise ConflictError(msg, name=asked.name)
        return api_key(row)

    async def rotate_api_key(
        self, key_id: UUID, token_hash: bytes, hint: str, former_until: datetime | None, by: Attribution
    ) -> ApiKey:
        """Keep another hash of an API key; the one before is good until then."""
        hashed, keyed = await self._hashed(token_hash)
        row = await fetch_row(self._pool, _ROTATE_KEY, key_id, hashed, keyed, former_until, hint, attributed(by))
        if row is None:
            raise NotFoundError(_KEY, str(key_id))
        return api_key(row)

    async def get_api_key(self, key_id: UUID) -> ApiKey:
        """An API key that is not revoked."""
        if (row := await fetch_row(self._pool, _GET_KEY, key_id)) is None:
            raise NotFoundError(_KEY, str(key_id))
        return api_key(row)

    async def used(self, uses: Sequence[Use]) -> None:
        """Keep when credentials were last used."""
        columns = zip(*((each.credential, each.at, each.address) for each in uses), strict=True)
        await fetch(self._pool, _USED, *map(list, columns))

    async def list_api_keys(self, *, limit: int, cursor: str | None) -> Page[ApiKey]:
        """The API keys that are not revoked, by name; expired ones too."""
        rows = await fetch(self._pool, _LIST_KEYS, *read_cursor(cursor, [""]), limit + 1)
        return page(rows, limit, api_key, "name")

    async def revoke_api_key(self, key_id: UUID, by: Attribution) -> None:
        """Make an API key stop working."""
        if await fetch_row(self._pool, _REVOKE_KEY, key_id, attributed(by)) is None:
            raise NotFoundError(_KEY, str(key_id))


def _principal(row: asyncpg.Record | None) -> Principal | None:
    if row is None:
        return None
    role, over, shown = Role(row["role"]), row["expires_at"], str(row["id"])
    if role is Role.AGENT:
        return agent_of(row["app_id"], row["environment"], f"agent:{shown}", expires_at=over, credential=shown)
    name, addresses = row["name"] or role.value, row["addresses"]
    return holder(name, role, expires_at=over, credential=shown, addresses=addresses)

"""API keys: who may make which, how long they last, and giving them new secrets without an interruption."""

from datetime import datetime, timedelta
from uuid import UUID

from control_plane.domain.access.decision import may_grant
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.reach import GLOBAL
from control_plane.domain.access.role import PERMISSIONS, Role
from control_plane.domain.access.token import new_token, token_hash
from control_plane.domain.api_key import LONGEST_LIFE, ApiKey, NewApiKey, hint_of
from control_plane.domain.attribution import Attribution
from control_plane.domain.errors import ForbiddenError, InvalidError
from control_plane.ports.credentials import Credentials
from control_plane.ports.pages import Page
from control_plane.services.access import Access
from control_plane.services.bindings import Bindings
from shared.runtime.clock import Clock
from shared.wire.problem import Violation


class ApiKeys:
    """Makes, shows, rotates and revokes the keys of people and machines."""

    def __init__(
        self, credentials: Credentials, access: Access, clock: Clock, bindings: Bindings | None = None
    ) -> None:
        self._credentials, self._access, self._bindings, self._clock = credentials, access, bindings, clock

    async def create(self, asked: NewApiKey, maker: Principal, by: Attribution) -> tuple[ApiKey, str]:
        """Make a key for a person or a machine; its secret is known to nobody but the caller.

        Raises:
            ForbiddenError: its role may do what the maker may not.
            InvalidError: it would expire in the past, or too far in the future.
            ConflictError: another key that works has its name.
        """
        await self._require_to_have_as_much(asked.name, asked.role, maker)
        self._require_an_end_ahead(asked.expires_at)
        secret = new_token(asked.role)
        return await self._credentials.create_api_key(asked, token_hash(secret), hint_of(secret), by), secret

    async def rotate(self, key_id: UUID, overlap: timedelta, maker: Principal, by: Attribution) -> tuple[ApiKey, str]:
        """Give a key another secret. The one before works for `overlap` longer, an older one not at all.

        Without an overlap, access tokens that were given for the key end, too.

        Raises:
            ForbiddenError: the key may do what the caller may not.
            NotFoundError: there is no such key that works.
        """
        key = await self._credentials.get_api_key(key_id)
        await self._require_to_have_as_much(key.name, key.role, maker)
        secret, until = new_token(key.role), self._clock.now() + overlap if overlap else None
        rotated = await self._credentials.rotate_api_key(key_id, token_hash(secret), hint_of(secret), until, by)
        if until is None:
            await self._access.end_tokens_until_now(key_id, by)
        else:
            self._access.forget()
        return rotated, secret

    async def get(self, key_id: UUID) -> ApiKey:
        """A key that is not revoked.

        Raises:
            NotFoundError: there is none.
        """
        return await self._credentials.get_api_key(key_id)

    async def list(self, *, limit: int, cursor: str | None) -> Page[ApiKey]:
        """The keys that are not revoked, by name."""
        return await self._credentials.list_api_keys(limit=limit, cursor=cursor)

    async def revoke(self, key_id: UUID, by: Attribution) -> None:
        """Make a key stop working: here at once, on other replicas within two seconds."""
        await self._credentials.revoke_api_key(key_id, by)
        await self._access.end_tokens(key_id, by)

    async def _require_to_have_as_much(self, name: str, role: Role, maker: Principal) -> None:
        """Who gets a key's secret could act as the key: by its role, and by what its name was granted already."""
        if lacking := may_grant(maker, PERMISSIONS[role], GLOBAL):
            detail = f"The role {role} has permissions that {maker.id} lacks: {', '.join(lacking)}."
            raise ForbiddenError(lacking[0], detail)
        for each in () if self._bindings is None else await self._bindings.of(f"service:{name}"):
            if lacking := may_grant(maker, each.permissions, each.reach):
                detail = f"service:{name} has the role {each.role} for {each.reach}, which {maker.id} lacks there."
                raise ForbiddenError(lacking[0], detail)

    def _require_an_end_ahead(self, expires_at: datetime | None) -> None:
        now = self._clock.now()
        if expires_at is not None and not now < expires_at <= now + LONGEST_LIFE:
            detail = (
                f"must lie in the future, by at most {LONGEST_LIFE.days:,} days; leave it out for a key without an end"
            )
            raise InvalidError([Violation("/expires_at", detail)])

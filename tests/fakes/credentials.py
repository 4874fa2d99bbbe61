"""A store of credentials in memory that can be away. `tests/contract/test_credentials.py` holds it to the real one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from control_plane.domain.access.principal import Principal, agent_of, holder
from control_plane.domain.access.role import Role
from control_plane.domain.api_key import ApiKey, NewApiKey, Use
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import AgentToken
from control_plane.domain.errors import ConflictError, NotFoundError, UnavailableError
from control_plane.ports.pages import Page
from shared.runtime.clock import Clock, SystemClock

_KEY = "API key"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeCredentials:
    """Knows some app/environments. `principals` are those of the tokens' hashes; `asked` counts the look-ups."""

    def __init__(
        self, principals: Mapping[bytes, Principal], *pairs: tuple[str, str], clock: Clock | None = None
    ) -> None:
        self.principals = dict(principals)
        self.pairs = set(pairs)
        self.away = False
        self.asked = 0
        self._clock = clock or SystemClock()
        self._tokens: dict[UUID, tuple[AgentToken, bytes]] = {}
        self._keys: dict[UUID, tuple[ApiKey, bytes]] = {}
        self._former: dict[UUID, bytes] = {}

    async def find(self, token_hash: bytes) -> Principal | None:
        self.asked += 1
        if self.away:
            dependency = "postgresql"
            raise UnavailableError(dependency, "away")
        found = self.principals.get(token_hash)
        return None if found is None or found.is_over(self._clock.now()) else found

    async def named(self, name: str) -> Principal | None:
        now = self._clock.now()
        found = (each for each in self.principals.values() if each.id == name and not each.is_over(now))
        return next(found, None)

    async def ensure_operator(self, token_hash: bytes, by: Attribution) -> None:
        _ = by
        kept = {key: each for key, each in self.principals.items() if each.role is not Role.OPERATOR}
        self.principals = kept | {token_hash: holder("operator", Role.OPERATOR)}

    async def create_agent_token(
        self, app_id: str, environment: str, token_hash: bytes, description: str, by: Attribution
    ) -> AgentToken:
        if (app_id, environment) not in self.pairs:
            kind = "environment"
            raise NotFoundError(kind, f"{app_id}/{environment}")
        made = AgentToken(uuid4(), app_id, environment, description, NOW, by.principal)
        self._tokens[made.id] = made, token_hash
        self.principals[token_hash] = agent_of(app_id, environment, f"agent:{made.id}")
        return made

    async def list_agent_tokens(self, app_id: str, environment: str) -> list[AgentToken]:
        return [each for each, _ in self._tokens.values() if (each.app_id, each.environment) == (app_id, environment)]

    async def revoke_agent_token(self, app_id: str, environment: str, token_id: UUID, by: Attribution) -> None:
        _ = by
        if token_id not in {each.id for each in await self.list_agent_tokens(app_id, environment)}:
            kind = "agent token"
            raise NotFoundError(kind, str(token_id))
        _, token_hash = self._tokens.pop(token_id)
        del self.principals[token_hash]

    async def create_api_key(self, asked: NewApiKey, token_hash: bytes, hint: str, by: Attribution) -> ApiKey:
        namesake = next((each for each, _ in self._keys.values() if each.name == asked.name), None)
        if namesake is not None:
            if namesake.expires_at is None or namesake.expires_at > self._clock.now():
                detail = "taken"
                raise ConflictError(detail, name=asked.name)
            await self.revoke_api_key(namesake.id, by)
        given = (asked.description, NOW, by.principal, asked.expires_at, hint, asked.addresses)
        made = ApiKey(uuid4(), asked.name, asked.role, *given)
        self._keep(made, token_hash)
        return made

    async def rotate_api_key(
        self, key_id: UUID, token_hash: bytes, hint: str, former_until: datetime | None, by: Attribution
    ) -> ApiKey:
        _ = by
        key = await self.get_api_key(key_id)
        if key.expires_at is not None and key.expires_at <= self._clock.now():
            raise NotFoundError(_KEY, str(key_id))
        _, before = self._keys.pop(key_id)
        self.principals.pop(self._former.pop(key_id, b""), None)
        if former_until is None:
            del self.principals[before]
        else:
            until = min(former_until, key.expires_at) if key.expires_at else former_until
            self.principals[before] = replace(self.principals[before], expires_at=until)
            self._former[key_id] = before
        rotated = replace(key, hint=hint, former_until=former_until, rotated_at=self._clock.now())
        self._keep(rotated, token_hash)
        return rotated

    async def get_api_key(self, key_id: UUID) -> ApiKey:
        if key_id not in self._keys:
            raise NotFoundError(_KEY, str(key_id))
        return self._keys[key_id][0]

    async def used(self, uses: Sequence[Use]) -> None:
        for use in uses:
            key, token_hash = self._keys.get(use.credential, (None, b""))
            if key is not None and (key.last_used_at is None or key.last_used_at < use.at):
                used = replace(key, last_used_at=use.at, last_used_from=use.address)
                self._keys[use.credential] = used, token_hash

    def _keep(self, key: ApiKey, token_hash: bytes) -> None:
        self._keys[key.id] = key, token_hash
        shown = {"expires_at": key.expires_at, "credential": str(key.id), "addresses": key.addresses}
        self.principals[token_hash] = holder(key.name, key.role, **shown)

    async def list_api_keys(self, *, limit: int, cursor: str | None) -> Page[ApiKey]:
        after = sorted(
            (each for each, _ in self._keys.values() if each.name > (cursor or "")), key=lambda each: each.name
        )
        return Page(tuple(after[:limit]), after[limit - 1].name if len(after) > limit else None)

    async def revoke_api_key(self, key_id: UUID, by: Attribution) -> None:
        _ = by
        if key_id not in self._keys:
            raise NotFoundError(_KEY, str(key_id))
        _, token_hash = self._keys.pop(key_id)
        del self.principals[token_hash]
        self.principals.pop(self._former.pop(key_id, b""), None)

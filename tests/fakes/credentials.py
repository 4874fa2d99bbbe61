"""A store of credentials in memory that can be away. `tests/contract/test_credentials.py` holds it to the real one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID, uuid4

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import AgentToken
from control_plane.domain.errors import NotFoundError, UnavailableError
from control_plane.domain.principal import Principal, Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeCredentials:
    """Knows some app/environments. `principals` are those of the tokens' hashes; `asked` counts the look-ups."""

    def __init__(self, principals: Mapping[bytes, Principal], *pairs: tuple[str, str]) -> None:
        self.principals = dict(principals)
        self.pairs = set(pairs)
        self.away = False
        self.asked = 0
        self._tokens: dict[UUID, tuple[AgentToken, bytes]] = {}

    async def find(self, token_hash: bytes) -> Principal | None:
        self.asked += 1
        if self.away:
            dependency = "postgresql"
            raise UnavailableError(dependency, "away")
        return self.principals.get(token_hash)

    async def ensure_operator(self, token_hash: bytes, by: Attribution) -> None:
        _ = by
        kept = {key: each for key, each in self.principals.items() if each.role is not Role.OPERATOR}
        self.principals = kept | {token_hash: Principal("operator", Role.OPERATOR)}

    async def create_agent_token(
        self, app_id: str, environment: str, token_hash: bytes, description: str, by: Attribution
    ) -> AgentToken:
        if (app_id, environment) not in self.pairs:
            kind = "environment"
            raise NotFoundError(kind, f"{app_id}/{environment}")
        made = AgentToken(uuid4(), app_id, environment, description, NOW, by.principal)
        self._tokens[made.id] = made, token_hash
        self.principals[token_hash] = Principal(f"agent:{made.id}", Role.AGENT, app_id, environment)
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

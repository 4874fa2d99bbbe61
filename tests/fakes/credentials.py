"""A store of credentials in memory that can be away."""

from uuid import UUID

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import AgentToken
from control_plane.domain.errors import NotFoundError, UnavailableError
from control_plane.domain.principal import Principal


class FakeCredentials:
    """Counts how often it is asked."""

    def __init__(self, principals: dict[bytes, Principal]) -> None:
        self.principals = principals
        self.away = False
        self.asked = 0
        self.revoked_by: list[Attribution] = []

    async def find(self, token_hash: bytes) -> Principal | None:
        self.asked += 1
        if self.away:
            dependency = "postgresql"
            raise UnavailableError(dependency, "away")
        return self.principals.get(token_hash)

    async def ensure_operator(self, token_hash: bytes, by: Attribution) -> None:
        raise NotImplementedError

    async def create_agent_token(
        self, app_id: str, environment: str, token_hash: bytes, description: str, by: Attribution
    ) -> AgentToken:
        raise NotImplementedError

    async def list_agent_tokens(self, app_id: str, environment: str) -> list[AgentToken]:
        raise NotImplementedError

    async def revoke_agent_token(self, app_id: str, environment: str, token_id: UUID, by: Attribution) -> None:
        """Forget every token of the app/environment: the fake does not know their ids."""
        mine = [key for key, each in self.principals.items() if each.sees(app_id, environment)]
        if not mine:
            kind = "agent token"
            raise NotFoundError(kind, str(token_id))
        self.revoked_by.append(by)
        for key in mine:
            del self.principals[key]

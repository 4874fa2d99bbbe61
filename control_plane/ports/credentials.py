"""Who may call, and what was answered to whom before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from control_plane.domain.access.principal import Principal
from control_plane.domain.access.revocation import HEARD_WITHIN, Revocation
from control_plane.domain.api_key import ApiKey, NewApiKey, Use
from control_plane.domain.attribution import Attribution
from control_plane.domain.change import AgentToken
from control_plane.ports.pages import Page
from shared.domain.codec import Json


class Credentials(Protocol):
    """Tokens, kept as hashes. What is done with them is attributed and audited."""

    async def find(self, token_hash: bytes) -> Principal | None:
        """The principal of a token that is neither revoked nor expired."""
        ...

    async def named(self, name: str) -> Principal | None:
        """The principal of the API key of this name, if it is neither revoked nor expired."""
        ...

    async def ensure_operator(self, token_hash: bytes, by: Attribution) -> None:
        """Let this token be the bootstrap operator's; any earlier bootstrap token stops working."""
        ...

    async def create_agent_token(
        self, app_id: str, environment: str, token_hash: bytes, description: str, by: Attribution
    ) -> AgentToken:
        """Keep a new agent token's hash.

        Raises:
            NotFoundError: the application or the environment is not registered.
        """
        ...

    async def list_agent_tokens(self, app_id: str, environment: str) -> list[AgentToken]:
        """The tokens of an app/environment that are not revoked."""
        ...

    async def revoke_agent_token(self, app_id: str, environment: str, token_id: UUID, by: Attribution) -> None:
        """Make a token stop working.

        Raises:
            NotFoundError: there is no such token.
        """
        ...

    async def create_api_key(self, asked: NewApiKey, token_hash: bytes, hint: str, by: Attribution) -> ApiKey:
        """Keep a new API key's hash, and how its secret begins.

        Raises:
            ConflictError: another one that works has its name.
        """
        ...

    async def rotate_api_key(
        self, key_id: UUID, token_hash: bytes, hint: str, former_until: datetime | None, by: Attribution
    ) -> ApiKey:
        """Keep another hash of an API key. The one before is good until then; None: no more. An older one never is.

        Raises:
            NotFoundError: there is no such key that works.
        """
        ...

    async def get_api_key(self, key_id: UUID) -> ApiKey:
        """An API key that is not revoked.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def used(self, uses: Sequence[Use]) -> None:
        """Keep when credentials were last used; of what is known already the later one stays."""
        ...

    async def list_api_keys(self, *, limit: int, cursor: str | None) -> Page[ApiKey]:
        """The API keys that are not revoked, by name; expired ones too."""
        ...

    async def revoke_api_key(self, key_id: UUID, by: Attribution) -> None:
        """Make an API key stop working.

        Raises:
            NotFoundError: there is no such key.
        """
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of the request with an Idempotency-Key. `answer` is None while it is under way; `same`: it is this one."""

    answer: Json | None
    same: bool = True


class Receipts(Protocol):
    """The answers to requests with an Idempotency-Key that make something other than a change (a draft has its own).

    A key means something only together with its author, and is the same key for changes and for everything else.
    """

    async def begin(self, author: str, key: str, request_hash: bytes) -> Receipt | None:
        """Claim a key: None if it is ours now, else what is known of the request that has it.

        A claim that was never finished, because its process died, can be claimed by the same request a while later.
        """
        ...

    async def finish(self, author: str, key: str, answer: Json) -> None:
        """Keep the answer to the request that claimed the key."""
        ...

    async def forget(self, author: str, key: str) -> None:
        """Give up a claim: the request did nothing."""
        ...


class Revocations(Protocol):
    """Revoked tokens, for as long as one of them could still be shown."""

    async def list(self) -> list[Revocation]:
        """All that still mean something."""
        ...

    async def add(self, subject: str, reason: str, by: Attribution, ahead: timedelta = HEARD_WITHIN) -> Revocation:
        """Revoke all tokens of a subject that were issued until now, or will be for so long."""
        ...

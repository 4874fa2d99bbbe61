"""What authentication relies on in a store of credentials, of the one in memory and of PostgreSQL alike."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from control_plane.domain.errors import NotFoundError
from control_plane.domain.principal import Role, new_token, token_hash
from control_plane.ports import Credentials
from tests.fakes.credentials import FakeCredentials
from tests.store import OLGA, billing_store


class CredentialsContract:
    """Tokens are found by their hash until they are replaced or revoked."""

    async def test_an_unknown_token_is_nobodys(self, credentials: Credentials) -> None:
        assert await credentials.find(token_hash("guess")) is None

    async def test_only_the_newest_bootstrap_token_is_the_operators(self, credentials: Credentials) -> None:
        old, new = token_hash(new_token(Role.OPERATOR)), token_hash(new_token(Role.OPERATOR))
        await credentials.ensure_operator(old, OLGA)
        await credentials.ensure_operator(new, OLGA)
        await credentials.ensure_operator(new, OLGA)
        assert await credentials.find(old) is None
        found = await credentials.find(new)
        assert found is not None
        assert (found.id, found.role, found.app_id) == ("operator", Role.OPERATOR, None)
        await credentials.ensure_operator(old, OLGA)
        assert await credentials.find(new) is None
        assert await credentials.find(old) is not None

    async def test_an_agent_token_works_until_it_is_revoked(self, credentials: Credentials) -> None:
        secret, other = token_hash(new_token(Role.AGENT)), token_hash(new_token(Role.AGENT))
        made = await credentials.create_agent_token("billing", "prod", secret, "node 1", OLGA)
        kept = await credentials.create_agent_token("billing", "prod", other, "node 2", OLGA)
        assert (made.app_id, made.environment, made.description, made.created_by) == (
            "billing",
            "prod",
            "node 1",
            "olga",
        )
        found = await credentials.find(secret)
        assert found is not None
        assert (found.id, found.role) == (f"agent:{made.id}", Role.AGENT)
        assert (found.app_id, found.environment) == ("billing", "prod")
        assert {each.id for each in await credentials.list_agent_tokens("billing", "prod")} == {made.id, kept.id}
        with pytest.raises(NotFoundError):
            await credentials.revoke_agent_token("billing", "staging", made.id, OLGA)
        await credentials.revoke_agent_token("billing", "prod", made.id, OLGA)
        assert await credentials.find(secret) is None
        assert await credentials.find(other) is not None
        assert await credentials.list_agent_tokens("billing", "prod") == [kept]
        for token in (made.id, uuid4()):
            with pytest.raises(NotFoundError):
                await credentials.revoke_agent_token("billing", "prod", token, OLGA)

    async def test_a_token_of_what_is_not_registered_cannot_be_made(self, credentials: Credentials) -> None:
        with pytest.raises(NotFoundError):
            await credentials.create_agent_token("billing", "nope", token_hash("x"), "", OLGA)
        assert await credentials.find(token_hash("x")) is None


class TestCredentialsInMemory(CredentialsContract):
    @pytest.fixture
    def credentials(self) -> Credentials:
        return FakeCredentials({}, ("billing", "prod"), ("billing", "staging"))


class TestPostgres(CredentialsContract):
    @pytest.fixture
    async def credentials(self, migrated_url: str) -> AsyncIterator[Credentials]:
        async with billing_store(migrated_url) as store:
            yield store.credentials

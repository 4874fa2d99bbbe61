"""What authentication relies on in a store of credentials, of the one in memory and of PostgreSQL alike."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import anyio
import pytest

from control_plane.domain.access.principal import holder
from control_plane.domain.access.role import Role
from control_plane.domain.access.token import new_token, token_hash
from control_plane.domain.api_key import NewApiKey, Use
from control_plane.domain.errors import ConflictError, NotFoundError
from control_plane.ports.credentials import Credentials
from shared.runtime.clock import SystemClock
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

    async def test_an_api_key_is_somebody_with_a_role_until_it_is_revoked(self, credentials: Credentials) -> None:
        secret = token_hash("alice's")
        made = await credentials.create_api_key(NewApiKey("alice", Role.EDITOR, "Alice"), secret, "hint", OLGA)
        assert (made.name, made.role, made.description, made.created_by) == ("alice", Role.EDITOR, "Alice", "olga")
        assert await credentials.find(secret) == holder("alice", Role.EDITOR)
        await credentials.revoke_api_key(made.id, OLGA)
        assert await credentials.find(secret) is None
        for gone in (made.id, uuid4()):
            with pytest.raises(NotFoundError):
                await credentials.revoke_api_key(gone, OLGA)

    async def test_two_keys_that_work_have_different_names(self, credentials: Credentials) -> None:
        first = await credentials.create_api_key(NewApiKey("bob", Role.APPROVER), token_hash("1"), "hint", OLGA)
        with pytest.raises(ConflictError):
            await credentials.create_api_key(NewApiKey("bob", Role.ADMIN), token_hash("2"), "hint", OLGA)
        assert await credentials.find(token_hash("2")) is None
        await credentials.revoke_api_key(first.id, OLGA)
        await credentials.create_api_key(NewApiKey("bob", Role.VIEWER), token_hash("3"), "hint", OLGA)
        assert await credentials.find(token_hash("3")) == holder("bob", Role.VIEWER)

    async def test_of_two_who_want_a_name_at_the_same_time_one_gets_it(self, credentials: Credentials) -> None:
        over = SystemClock().now() - timedelta(hours=1)
        await credentials.create_api_key(NewApiKey("ci", Role.VIEWER, "", over), token_hash("over"), "hint", OLGA)
        refused: list[int] = []

        async def create(number: int) -> None:
            try:
                await credentials.create_api_key(NewApiKey("ci", Role.VIEWER), token_hash(str(number)), "hint", OLGA)
            except ConflictError:
                refused.append(number)

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(create, number)
        assert len(refused) == 7
        assert len((await credentials.list_api_keys(limit=9, cursor=None)).items) == 1

    async def test_an_expired_key_is_nobodys_and_gives_its_name_up(self, credentials: Credentials) -> None:
        now = SystemClock().now()
        over, ahead = now - timedelta(hours=1), now + timedelta(hours=1)
        await credentials.create_api_key(NewApiKey("ci", Role.EDITOR, "", over), token_hash("1"), "hint", OLGA)
        assert await credentials.find(token_hash("1")) is None
        assert [each.expires_at for each in (await credentials.list_api_keys(limit=9, cursor=None)).items] == [over]
        kept = await credentials.create_api_key(NewApiKey("ci", Role.EDITOR, "", ahead), token_hash("2"), "hint", OLGA)
        assert await credentials.find(token_hash("2")) == holder("ci", Role.EDITOR, expires_at=ahead)
        assert list((await credentials.list_api_keys(limit=9, cursor=None)).items) == [kept]

    async def test_a_secret_that_was_replaced_works_until_then_and_an_older_one_no_more(
        self, credentials: Credentials
    ) -> None:
        until = SystemClock().now() + timedelta(hours=1)
        made = await credentials.create_api_key(NewApiKey("ci", Role.VIEWER), token_hash("1"), "one", OLGA)
        second = await credentials.rotate_api_key(made.id, token_hash("2"), "two", until, OLGA)
        assert (second.hint, second.former_until, second.rotated_at is not None) == ("two", until, True)
        assert await credentials.get_api_key(made.id) == second
        assert await credentials.find(token_hash("1")) == holder("ci", Role.VIEWER, expires_at=until)
        assert await credentials.find(token_hash("2")) == holder("ci", Role.VIEWER)
        await credentials.rotate_api_key(made.id, token_hash("3"), "three", until, OLGA)
        assert await credentials.find(token_hash("1")) is None
        assert await credentials.find(token_hash("2")) is not None
        await credentials.rotate_api_key(made.id, token_hash("4"), "four", None, OLGA)
        assert await credentials.find(token_hash("2")) is None
        assert await credentials.find(token_hash("3")) is None
        await credentials.rotate_api_key(made.id, token_hash("5"), "five", until, OLGA)
        await credentials.revoke_api_key(made.id, OLGA)
        for number in range(1, 6):
            assert await credentials.find(token_hash(str(number))) is None
        for gone in (made.id, uuid4()):
            with pytest.raises(NotFoundError):
                await credentials.rotate_api_key(gone, token_hash("6"), "six", until, OLGA)
            with pytest.raises(NotFoundError):
                await credentials.get_api_key(gone)

    async def test_it_is_known_where_a_key_may_be_used_and_was(self, credentials: Credentials) -> None:
        now = SystemClock().now()
        asked = NewApiKey("ci", Role.VIEWER, addresses=("10.0.0.0/8",))
        made = await credentials.create_api_key(asked, token_hash("1"), "hint", OLGA)
        found = await credentials.find(token_hash("1"))
        assert found is not None
        assert (found.addresses, found.credential) == (("10.0.0.0/8",), str(made.id))
        await credentials.used([Use(made.id, now, "10.0.0.1"), Use(uuid4(), now, "10.0.0.2")])
        await credentials.used([Use(made.id, now - timedelta(minutes=1), "10.0.0.3")])
        kept = await credentials.get_api_key(made.id)
        assert (kept.last_used_at, kept.last_used_from) == (now, "10.0.0.1")

    async def test_api_keys_are_listed_by_name(self, credentials: Credentials) -> None:
        for name in ("carol", "alice", "bob"):
            await credentials.create_api_key(NewApiKey(name, Role.VIEWER), token_hash(name), "hint", OLGA)
        await credentials.create_agent_token("billing", "prod", token_hash("agent"), "", OLGA)
        first = await credentials.list_api_keys(limit=2, cursor=None)
        second = await credentials.list_api_keys(limit=2, cursor=first.next_cursor)
        assert [[each.name for each in page.items] for page in (first, second)] == [["alice", "bob"], ["carol"]]
        assert second.next_cursor is None

    async def test_a_token_of_an_agent_is_no_api_key(self, credentials: Credentials) -> None:
        made = await credentials.create_agent_token("billing", "prod", token_hash("agent"), "", OLGA)
        with pytest.raises(NotFoundError):
            await credentials.revoke_api_key(made.id, OLGA)


class TestCredentialsInMemory(CredentialsContract):
    @pytest.fixture
    def credentials(self) -> Credentials:
        return FakeCredentials({}, ("billing", "prod"), ("billing", "staging"))


class TestPostgres(CredentialsContract):
    @pytest.fixture
    async def credentials(self, migrated_url: str) -> AsyncIterator[Credentials]:
        async with billing_store(migrated_url) as store:
            yield store.credentials

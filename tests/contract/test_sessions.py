"""What every keeper of sessions, tickets and guesses does, in memory or in Redis."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import anyio
import pytest

from control_plane.domain.errors import UnavailableError
from control_plane.domain.people.lockout import Lockout
from control_plane.domain.people.session import Carrier, Session
from control_plane.embedded.people import MemoryGuesses, MemorySessions, MemoryTickets
from control_plane.ports.people import GuessCounters, SessionStore, Tickets
from control_plane.redis_cache.client import open_redis
from control_plane.redis_cache.guesses import RedisGuesses
from control_plane.redis_cache.marks import Marks
from control_plane.redis_cache.sessions import RedisSessions
from control_plane.redis_cache.tickets import RedisTickets
from tests.servers.server import Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANNA, BERT = uuid4(), uuid4()


async def _key() -> bytes:
    return b"k" * 32


MARKS = Marks(_key)
RULE = Lockout(free=3, first=50, cap=100, forget=200)


@dataclass
class Stores:
    sessions: SessionStore
    tickets: Tickets
    guesses: GuessCounters


@pytest.fixture(params=["memory", "redis"])
async def stores(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemorySessions(), MemoryTickets(), MemoryGuesses())
    else:
        async with open_redis(redis_url) as client:
            yield Stores(RedisSessions(client, MARKS), RedisTickets(client, MARKS), RedisGuesses(client))


def session(number: int = 1, user: object = ANNA) -> Session:
    return Session(
        id=f"s{number}",
        user_id=user,  # type: ignore[arg-type]
        user="anna",
        generation=3,
        carrier=Carrier.COOKIE,
        groups=("platform", "på svenska"),
        created_at=NOW,
        seen_at=NOW + timedelta(seconds=number),
        ends_at=NOW + timedelta(hours=12),
        idle=timedelta(minutes=30),
        address="10.0.0.1",
        user_agent="a browser",
        issuer="https://login.example",
        provider_subject="0815",
        provider_session="sid",
    )


async def test_a_session_is_found_as_it_was_put_until_it_is_dropped(stores: Stores) -> None:
    await stores.sessions.put("h1", session(), 60)
    assert await stores.sessions.get("h1") == session()
    assert await stores.sessions.get("h2") is None
    await stores.sessions.drop(ANNA, "h1")
    assert await stores.sessions.get("h1") is None


async def test_nobody_drops_a_session_of_somebody_else(stores: Stores) -> None:
    await stores.sessions.put("h1", session(), 60)
    await stores.sessions.drop(BERT, "h1")
    assert await stores.sessions.get("h1") == session()


async def test_a_session_is_gone_when_its_time_is_over(stores: Stores) -> None:
    await stores.sessions.put("h1", session(), 0.01)
    with anyio.fail_after(5):
        while await stores.sessions.get("h1") is not None:
            await anyio.sleep(0.005)
    assert await stores.sessions.of(ANNA) == []


async def test_the_sessions_of_a_person_are_theirs_alone(stores: Stores) -> None:
    for number in (1, 2):
        await stores.sessions.put(f"h{number}", session(number), 60)
    await stores.sessions.put("h3", session(3, BERT), 60)
    assert sorted(await stores.sessions.of(ANNA)) == [("h1", session(1)), ("h2", session(2))]
    await stores.sessions.drop(ANNA, "h1")
    assert await stores.sessions.of(ANNA) == [("h2", session(2))]
    assert await stores.sessions.of(uuid4()) == []


async def test_what_was_ended_is_not_brought_back_by_being_used(stores: Stores) -> None:
    await stores.sessions.put("h1", session(), 60)
    later = replace(session(), seen_at=NOW + timedelta(minutes=1))
    await stores.sessions.touch("h1", later, 60)
    assert await stores.sessions.get("h1") == later
    await stores.sessions.drop(ANNA, "h1")
    await stores.sessions.touch("h1", later, 60)
    assert await stores.sessions.get("h1") is None


async def test_a_ticket_is_taken_once(stores: Stores) -> None:
    await stores.tickets.put("t", {"a": [1, None]}, 60)
    taken: list[object] = []

    async def take() -> None:
        taken.append(await stores.tickets.take("t"))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(take)
    assert [each for each in taken if each is not None] == [{"a": [1, None]}]


async def test_a_ticket_does_not_keep(stores: Stores) -> None:
    await stores.tickets.put("t", 1, 0.001)
    await anyio.sleep(0.02)
    assert await stores.tickets.take("t") is None


async def test_a_few_guesses_are_free_then_one_waits(stores: Stores) -> None:
    assert [await stores.guesses.attempt("a", RULE) for _ in range(3)] == [0, 0, 0]
    assert 45 < await stores.guesses.attempt("a", RULE) <= 50
    assert 45 < await stores.guesses.attempt("a", RULE) <= 50, "knocking makes it no longer"
    assert await stores.guesses.attempt("b", RULE) == 0


async def test_guesses_at_the_same_moment_all_count(stores: Stores) -> None:
    waits: list[float] = []

    async def guess() -> None:
        waits.append(await stores.guesses.attempt("a", RULE))

    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(guess)
    assert waits.count(0) == 3


async def test_what_was_no_guess_is_forgotten_or_forgiven(stores: Stores) -> None:
    for _ in range(3):
        await stores.guesses.attempt("a", RULE)
    await stores.guesses.forgive("a")
    assert await stores.guesses.attempt("a", RULE) == 0
    assert await stores.guesses.attempt("a", RULE) > 0
    await stores.guesses.forget("a")
    assert [await stores.guesses.attempt("a", RULE) for _ in range(3)] == [0, 0, 0]
    await stores.guesses.forgive("nobody")
    assert await stores.guesses.attempt("nobody", RULE) == 0


async def test_a_wait_is_over_sometime(stores: Stores) -> None:
    rule = Lockout(free=1, first=0.05, cap=0.05, forget=10)
    assert await stores.guesses.attempt("a", rule) == 0
    assert 0 < await stores.guesses.attempt("a", rule) <= 0.05
    with anyio.fail_after(5):
        while await stores.guesses.attempt("a", rule):
            await anyio.sleep(0.005)


async def test_what_no_replica_put_in_redis_lets_nobody_in(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever can write there cannot make a session, change his own, or take another one's."""
    async with open_redis(redis_url) as client:
        sessions, tickets = RedisSessions(client, MARKS), RedisTickets(client, MARKS)
        await sessions.put("anna", session(), 60)
        await sessions.put("bert", session(2, BERT), 60)
        await tickets.put("t", {"user": "anna"}, 60)
        good, other, ticket = [
            await client.get(f"trimtab:{each}") for each in ("session:anna", "session:bert", "ticket:t")
        ]
        assert isinstance(good, bytes)
        assert isinstance(ticket, bytes)
        forged = [b"", b"{", b"{}", b'{"user_id": 1}', good[32:], other, ticket, good[:-1], good + b" "]
        forged += [good.replace(*each) for each in ((b"platform", b"admins!!"), (b'"generation":3', b'"generation":4'))]
        for each in forged:
            await client.set("trimtab:session:anna", each)
            assert await sessions.get("anna") is None
            assert await sessions.of(ANNA) == []
            await client.set("trimtab:ticket:t", each.replace(b"anna", b"bert"))
            assert await tickets.take("t") is None
        await client.set("trimtab:session:anna", good)
        assert await sessions.get("anna") == session()
        assert "not put there by a replica" in caplog.text
        assert "platform" not in caplog.text


async def test_without_redis_nobody_is_let_in(own_redis: Server) -> None:
    async with open_redis(own_redis.url) as client:
        sessions, tickets, guesses = RedisSessions(client, MARKS), RedisTickets(client, MARKS), RedisGuesses(client)
        await sessions.put("h1", session(), 60)
        await own_redis.stop()
        for asked in (lambda: sessions.get("h1"), lambda: tickets.take("t"), lambda: guesses.attempt("a", RULE)):
            with pytest.raises(UnavailableError):
                await asked()
        await own_redis.start()
        assert await sessions.get("h1") is None

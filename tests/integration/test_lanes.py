"""The fast lane says what aiohttp's says, byte for byte, whatever is sent and however; and it never says what is past."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from agent.local_api.lane import connection
from agent.local_api.server import serving_local_api
from agent.local_api.view import AgentView, Policy
from agent.sync.reporter import Identity
from shared.domain.entry import Entry
from shared.runtime.listen import Listen
from tests.fakes.clock import ManualClock
from tests.fakes.snapshots import following
from tests.integration.test_local_api import Agent
from tests.integration.test_local_api_evaluating import entry, exposure
from tests.rig.lanes import Answered, Conversation, Requests, answers, heard

pytestmark = pytest.mark.timeout(1_800)

REQUESTS = int(os.environ.get("TRIMTAB_TEST_FUZZ_REQUESTS", "3000"))
MOMENT = 1_900_000_000_000
FLAG = {
    "variants": {"on": True, "off": False},
    "default": "off",
    "rules": [
        {"when": {"segment": "swedes"}, "serve": "on"},
        {"split": [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]},
    ],
}
SWEDES = {"when": {"attribute": "country", "op": "eq", "values": ["SE"]}}


class Lanes(Agent):
    """One agent behind two servers: the fast lane before aiohttp, and aiohttp alone."""

    fast = slow = 0
    clock: ManualClock


@asynccontextmanager
async def lanes(policy: Policy | None = None) -> AsyncIterator[Lanes]:
    it = Lanes(policy or Policy(), clock=ManualClock())
    view = AgentView(
        store=it.store, status=it.status, clock=it.clock, identity=Identity("one", "1", {}), sync=it.sync, policy=it.policy,
        usage=it.usage, own=it.own, skew=it.skew,
    )  # fmt: skip
    listen = Listen("127.0.0.1", 0)
    async with (
        serving_local_api(view, listen) as fast,
        serving_local_api(view, listen, fast_lane=False) as slow,
    ):
        it.fast, it.slow = fast.port, slow.port
        yield it


def swap(it: Lanes, revision: int) -> None:
    """Another snapshot, in which everything that has a value tells its revision."""
    start = _now_ms(it) + 60_000
    held = (
        entry("plain", revision),
        entry("text", f"said {revision}"),
        entry("a.b-c_d", [revision] * 20_000),
        entry("flag", FLAG, "flag"),
        entry(
            "rollout", "old", rollout=exposure((start, 50_000), (start + 60_000, 100_000), candidate=f"new {revision}")
        ),
        Entry("secret", "value", b'"hidden"', 1, 1, sensitive=True),
        entry("swedes", SWEDES, "segment"),
    )
    it.live(following(it.store.current, revision, {each.key: each for each in held}))


def _now_ms(it: Lanes) -> int:
    return int(it.clock.now().timestamp() * 1_000)


async def test_both_lanes_give_the_same_answers() -> None:
    made, asked, revision = Requests(REQUESTS), 0, 1
    async with lanes() as it:
        swap(it, revision)
        while asked < REQUESTS:
            conversation = made.conversation()
            asked += conversation.requests + 1
            with anyio.fail_after(60):
                fast, slow = await heard(it.fast, conversation), await heard(it.slow, conversation)
            one, other = (list(answers(each)) for each in (fast, slow))
            assert one == other or excused(conversation, one, other), (conversation, fast[:3_000], slow[:3_000])
            made.etag = _etag(slow) or made.etag
            if asked % 7 == 0:
                revision += 1
                swap(it, revision)
            elif asked % 5 == 0:
                it.clock.advance(31)


def excused(conversation: Conversation, fast: list[Answered], slow: list[Answered]) -> bool:
    """Where aiohttp says something else, or says something else to what comes in other pieces.

    It gives up what it has begun when its client says goodbye, and when something that came in one piece with it is no HTTP,
    such as anything at all after a request that says it is the last; and it calls a head no HTTP before it has come as a
    whole. It is behind both lanes, and reads a moment later behind the fast one.
    """
    return _gave_up(conversation, fast, slow) or _gave_up(conversation, slow, fast)


def _gave_up(conversation: Conversation, more: list[Answered], less: list[Answered]) -> bool:
    if conversation.half and more[: len(less)] == less:
        return True
    if not less or less[-1].status not in {400, 431} or more[: len(less) - 1] != less[:-1]:
        return False
    if conversation.half:
        return True
    if len(more) == len(less):
        return ("connection", "close") in more[-1].headers
    return len(more) > len(less) and more[-1] == less[-1]


def _etag(received: bytes) -> str:
    found = re.search(rb"\r\nETag: ([^\r]+)", received, re.IGNORECASE)
    return found[1].decode() if found else ""


class Client:
    """A connection that asks the same bytes again and again."""

    def __init__(self, stream: anyio.abc.SocketStream, request: bytes) -> None:
        self._stream, self._request = stream, request
        self._received = b""

    async def ask(self) -> tuple[dict[str, str], bytes]:
        await self._stream.send(self._request)
        return await self.answer()

    async def answer(self) -> tuple[dict[str, str], bytes]:
        with anyio.fail_after(30):
            while b"\r\n\r\n" not in self._received:
                self._received += await self._stream.receive()
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            length = int(headers["Content-Length"])
            while len(self._received) < length:
                self._received += await self._stream.receive()
            body, self._received = self._received[:length], self._received[length:]
        return headers, body


@asynccontextmanager
async def client(port: int, target: str) -> AsyncIterator[Client]:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        yield Client(stream, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


async def test_nobody_is_told_what_was_true_before_a_swap() -> None:
    targets = ("/v1/values/plain", "/v1/configs/plain", "/v1/values/plain?country=SE", "/v1/configs?prefix=plain")
    async with lanes() as it, anyio.create_task_group() as group:
        swap(it, 1)
        clients = [await _entered(group, it.fast, target) for target in targets]
        for revision in range(2, 300):
            swap(it, revision)
            for each in clients:
                headers, body = await each.ask()
                assert headers["Trimtab-Revision"] == str(revision)
                assert str(revision).encode() in body
        group.cancel_scope.cancel()


async def _entered(group: anyio.abc.TaskGroup, port: int, target: str) -> Client:
    """A client that stays until the group ends."""

    async def stay(*, task_status: anyio.abc.TaskStatus[Client]) -> None:
        async with client(port, target) as it:
            task_status.started(it)
            await anyio.sleep_forever()

    return await group.start(stay)


async def test_revisions_never_go_back_for_readers_while_somebody_swaps() -> None:
    done, last = anyio.Event(), 0

    async def read(port: int) -> None:
        nonlocal last
        async with client(port, "/v1/values/plain") as it:
            while not done.is_set():
                before = last  # what any reader has seen before this question was asked
                seen = int((await it.ask())[0]["Trimtab-Revision"])
                assert seen >= before
                last = max(last, seen)

    async with lanes() as it:
        swap(it, 1)
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(read, it.fast)
            for revision in range(2, 500):
                swap(it, revision)
                await anyio.lowlevel.checkpoint()
            done.set()
        assert last > 1


async def test_what_the_clock_changes_is_changed_at_its_moment_though_nobody_tells() -> None:
    async with lanes() as it, client(it.fast, "/v1/values/rollout?targetingKey=ada") as reader:
        swap(it, 1)
        before, after = 59.999, 60.001
        assert [(await reader.ask())[1] for _ in range(3)] == [b'"old"'] * 3
        it.clock.advance(before)
        assert [(await reader.ask())[1] for _ in range(3)] == [b'"old"'] * 3
        it.clock.advance(after)
        assert [(await reader.ask())[1] for _ in range(3)] == [b'"new 1"'] * 3
        it.clock.advance(-after)
        assert (await reader.ask())[1] == b'"old"', "a clock may be set back"


async def test_what_becomes_stale_says_so_and_what_is_confirmed_again_does_not() -> None:
    async with lanes(Policy(max_staleness=30)) as it, client(it.fast, "/v1/configs/plain") as reader:
        swap(it, 1)
        for stale in (False, False, True, True, False):
            if stale:
                it.clock.advance(31)
            else:
                it.status.last_confirmed = it.clock.monotonic()
            answer = [(await reader.ask())[1] for _ in range(2)]
            assert all((b'"STALE"' in each) is stale for each in answer), (stale, answer)


async def test_who_takes_no_answers_is_read_no_further() -> None:
    many = 3_000
    async with lanes() as it, await anyio.connect_tcp("127.0.0.1", it.fast) as stream:
        swap(it, 1)
        request = b"GET /v1/values/a.b-c_d HTTP/1.1\r\nHost: localhost\r\n\r\n"
        reader = Client(stream, request)

        async def send() -> None:
            for _ in range(many // 100):
                await stream.send(request * 100)

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            waiting = it.usage.keys["a.b-c_d"]
            assert waiting < many / 2, "answers of 40 kB each were made for somebody who takes none"
            bodies = {(await reader.answer())[1] for _ in range(many)}
        assert len(bodies) == 1


async def test_every_answer_counts_by_whatever_lane_it_came() -> None:
    async with lanes() as it:
        swap(it, 1)
        for port in (it.fast, it.slow):
            async with client(port, "/v1/values/plain") as reader, client(port, "/v1/configs") as lister:
                for _ in range(10):
                    await reader.ask()
                    await lister.ask()
            counts = it.usage.take()
            assert (counts.keys, counts.bulk) == ({"plain": 10}, 10)
        assert it.usage.reasons["STATIC"] >= 20


async def test_a_request_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.local_api.lane.lane.PATIENCE", 0.2)
    monkeypatch.setattr("agent.local_api.lane.lane.LOOK_EVERY", 0.1)
    async with lanes() as it, await anyio.connect_tcp("127.0.0.1", it.fast) as stream:
        swap(it, 1)
        reader: Any = Client(stream, b"GET /v1/values/plain HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/val")
        assert (await reader.ask())[1] == b"1"
        with anyio.fail_after(10), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()


def test_a_body_that_is_too_large_for_the_lane_is_for_aiohttp_to_refuse() -> None:
    assert connection.MAX_BODY >= 64 * 1024

"""The local API as an application meets it, over real sockets."""

import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from agent.local_api.server import serving_local_api
from agent.local_api.view import AgentView, Policy
from agent.local_api.watch import MAX_PENDING
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.sync.outcomes import Outcomes
from agent.sync.remarks import Remarks
from agent.sync.reporter import Identity
from agent.sync.results import Results
from agent.sync.skew import Skew
from agent.sync.status import State, Status
from shared.domain.codec import decode
from shared.domain.context import Attribute
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.listen import Listen
from shared.wire.sse import Event, read_events
from tests.fakes.snapshots import snapshot_of, with_values

TOKEN = "0123456789abcdef0123456789abcdef"
VALUES = {"db.pool": 20, "db.host": "db.example", "greeting": "grüß dich", "nothing": None, "hosts": ["a", "b"]}


@dataclass
class Agent:
    """A local API over a store and a status that the test moves by hand."""

    policy: Policy = field(default_factory=Policy)
    store: SnapshotStore = field(default_factory=lambda: SnapshotStore(Snapshot.empty("billing", "prod")))
    status: Status = field(default_factory=Status)
    clock: Clock = field(default_factory=SystemClock)
    usage: Usage = field(default_factory=Usage)
    outcomes: Outcomes = field(default_factory=Outcomes)
    own: dict[str, Attribute] = field(default_factory=dict)
    skew: Skew = field(init=False)
    remarks: Remarks = field(init=False)
    results: Results = field(default_factory=Results)
    agrees: bool = True
    url: str = ""
    session: aiohttp.ClientSession = field(init=False)

    def __post_init__(self) -> None:
        self.skew = Skew(self.clock)
        self.remarks = Remarks(self.clock, lambda: self.store.current.revision)

    def live(self, snapshot: Snapshot) -> None:
        self.store.swap(snapshot)
        self.status.last_confirmed = self.clock.monotonic()
        self.status.following("sse")
        self.status.enter(State.LIVE)

    async def sync(self) -> bool:
        return self.agrees

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any, aiohttp.ClientResponse]:
        async with self.session.get(self.url + path, headers=headers) as answer:
            body = await answer.read()
            return answer.status, decode(body) if "json" in answer.headers.get("Content-Type", "") else body, answer


@asynccontextmanager
async def agent(
    policy: Policy | None = None,
    listen: Listen | None = None,
    local_token: str = "",
    socket_mode: int = 0o660,
    clock: Clock | None = None,
    *,
    cors_origins: Sequence[str] = (),
) -> AsyncIterator[Agent]:
    it = Agent(policy or Policy(), clock=clock or SystemClock())
    view = AgentView(
        store=it.store,
        status=it.status,
        clock=it.clock,
        identity=Identity("one", "1.2.3", {"region": "eu"}),
        sync=it.sync,
        policy=it.policy,
        state_dir="/state",
        usage=it.usage,
        outcomes=it.outcomes,
        own=it.own,
        skew=it.skew,
        remarks=it.remarks,
        results=it.results,
    )
    wanted = listen or Listen("127.0.0.1", 0)
    async with serving_local_api(
        view,
        wanted,
        local_token=local_token,
        allowed_hosts=["agent.local"],
        socket_mode=socket_mode,
        cors_origins=cors_origins,
    ) as at:
        connector = aiohttp.UnixConnector(str(at.path)) if at.path else aiohttp.TCPConnector()
        it.url = "http://localhost" if at.path else f"http://{at}"
        async with aiohttp.ClientSession(connector=connector) as it.session:
            yield it


async def test_a_config_is_a_resolution() -> None:
    async with agent() as it:
        it.live(snapshot_of(7, VALUES))
        status, document, answer = await it.get("/v1/configs/db.pool?targetingKey=alice&groups=beta")
        assert status == 200
        assert document == {
            "key": "db.pool",
            "value": 20,
            "variant": None,
            "reason": "STATIC",
            "version": 1,
            "revision": 7,
            "scope": "environment",
            "sensitive": False,
        }
        assert answer.headers["Trimtab-Revision"] == "7"
        assert answer.headers["Cache-Control"] == "private, no-cache"


async def test_a_value_is_bare_json_or_a_bare_text() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, VALUES))
        assert [(await it.get(f"/v1/values/{key}"))[1] for key in VALUES] == list(VALUES.values())
        _, text, answer = await it.get("/v1/values/greeting", {"Accept": "text/plain"})
        assert text.decode() == "grüß dich"
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Vary"] == "Accept"
        assert (await it.get("/v1/values/hosts", {"Accept": "text/plain"}))[1] == b'["a","b"]'
        _, document, _ = await it.get("/v1/values/greeting", {"Accept": "text/html, */*;q=0.8"})
        assert document == "grüß dich"


async def test_reads_are_counted_by_key_and_those_of_many_as_such() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, VALUES, sensitive=("db.host",)))
        for path in ("values/db.pool", "configs/db.pool", "values/nothing", "configs", "configs?prefix=db."):
            assert (await it.get(f"/v1/{path}"))[0] == 200
        _, _, answer = await it.get("/v1/values/greeting")
        assert (await it.get("/v1/values/greeting", {"If-None-Match": answer.headers["ETag"]}))[0] == 304
        for path, status in (("values/unknown", 404), ("values/db.host", 403)):
            assert (await it.get(f"/v1/{path}"))[0] == status
        counted = it.usage.take()
        assert (counted.keys, counted.bulk) == ({"db.pool": 2, "nothing": 1, "greeting": 2}, 2)


async def test_all_configs_or_those_of_a_prefix_are_of_one_revision() -> None:
    async with agent() as it:
        it.live(snapshot_of(3, VALUES))
        _, everything, _ = await it.get("/v1/configs")
        assert (everything["app_id"], everything["environment"], everything["revision"]) == ("billing", "prod", 3)
        assert {key: each["value"] for key, each in everything["configs"].items()} == VALUES
        _, some, _ = await it.get("/v1/configs?prefix=db.")
        assert sorted(some["configs"]) == ["db.host", "db.pool"]


async def test_a_reader_that_has_the_bytes_gets_304_until_they_change() -> None:
    async with agent() as it:
        first = snapshot_of(1, VALUES)
        it.live(first)
        paths = ("/v1/configs/db.pool", "/v1/values/db.pool", "/v1/configs", "/v1/configs?prefix=db.")
        for path in paths:
            tag = (await it.get(path))[2].headers["ETag"]
            for given in (tag, f'W/{tag}, "other"', "*"):
                status, body, answer = await it.get(path, {"If-None-Match": given})
                assert (status, body, answer.headers["ETag"]) == (304, b"", tag)
            assert (await it.get(path, {"If-None-Match": '"other"'}))[0] == 200
        kept = {path: (await it.get(path))[2].headers["ETag"] for path in (*paths, "/v1/values/db.host")}
        it.live(with_values(first, 2, {"db.pool": 30}))
        for path in paths:
            assert (await it.get(path, {"If-None-Match": kept[path]}))[0] == 200
        assert (await it.get("/v1/values/db.host", {"If-None-Match": kept["/v1/values/db.host"]}))[0] == 304
        assert (await it.get("/v1/values/db.pool"))[1] == 30


async def test_an_unknown_key_and_a_missing_snapshot_are_told_in_openfeatures_words() -> None:
    async with agent() as it:
        for path in ("/v1/configs/db.pool", "/v1/values/db.pool", "/v1/configs"):
            status, problem, answer = await it.get(path)
            assert (status, problem["error_code"]) == (503, "PROVIDER_NOT_READY")
            assert answer.headers["Retry-After"] == "1"
        it.live(snapshot_of(1, VALUES))
        for path in ("/v1/configs/db.pol", "/v1/values/db.pol", "/v1/values/%00%2f"):
            status, problem, answer = await it.get(path)
            assert (status, problem["error_code"]) == (404, "FLAG_NOT_FOUND")
            assert answer.headers["Content-Type"] == "application/problem+json"
        it.live(with_values(it.store.current, 2, {}, removed=["db.pool"]))
        assert (await it.get("/v1/values/db.pool"))[0] == 404


async def test_what_was_not_confirmed_is_served_as_stale() -> None:
    async with agent(Policy(max_staleness=60.0)) as it:
        it.store.swap(snapshot_of(1, VALUES))
        assert (await it.get("/v1/configs/db.pool"))[1]["reason"] == "STALE"
        it.live(it.store.current)
        assert (await it.get("/v1/configs/db.pool"))[1]["reason"] == "STATIC"
        assert (await it.get("/v1/configs"))[1]["configs"]["db.pool"]["reason"] == "STATIC"
        it.status.last_confirmed = it.clock.monotonic() - 61
        assert (await it.get("/v1/configs/db.pool"))[1]["reason"] == "STALE"
        assert (await it.get("/v1/configs"))[1]["configs"]["db.pool"]["reason"] == "STALE"


async def test_ready_means_a_snapshot_and_never_a_connection() -> None:
    async with agent() as it:
        assert (await it.get("/healthz"))[0] == 200
        assert (await it.get("/readyz"))[0] == 503
        it.store.swap(snapshot_of(1, {}))
        assert (await it.get("/readyz"))[0] == 200


async def test_by_policy_readiness_goes_away_again() -> None:
    async with agent(Policy(max_staleness=60.0)) as it:
        it.store.swap(snapshot_of(1, {}))
        assert "max_staleness" in (await it.get("/readyz"))[1]["detail"]
        it.live(it.store.current)
        assert (await it.get("/readyz"))[0] == 200
        it.status.last_confirmed = it.clock.monotonic() - 61
        assert (await it.get("/readyz"))[0] == 503
    async with agent(Policy(require_fresh=True)) as it:
        it.store.swap(snapshot_of(1, {}))
        assert "require_fresh" in (await it.get("/readyz"))[1]["detail"]
        it.live(it.store.current)
        assert (await it.get("/readyz"))[0] == 200
        it.status.enter(State.STALE)
        assert (await it.get("/readyz"))[0] == 503


async def test_status_and_metrics_tell_the_same() -> None:
    async with agent() as it:
        it.live(snapshot_of(9, VALUES))
        it.status.resyncs = 4
        await it.get("/v1/values/db.pool")
        _, status, _ = await it.get("/status")
        assert (status["state"], status["transport"], status["revision"], status["configs"]) == ("live", "sse", 9, 5)
        assert (status["instance"], status["version"], status["labels"]) == ("one", "1.2.3", {"region": "eu"})
        assert status["counters"]["resyncs"] == 4
        lines = (await it.get("/metrics"))[1].decode().splitlines()
        assert "trimtab_agent_revision 9.0" in lines
        assert "trimtab_agent_resyncs_total 4.0" in lines
        assert 'trimtab_agent_state{state="live"} 1.0' in lines
        assert 'trimtab_agent_http_requests_total{route="/v1/values/{key}",status="2xx"} 1.0' in lines
        assert any(line.startswith("process_resident_memory_bytes") for line in lines)


async def test_sync_fetches_and_says_whether_it_worked() -> None:
    async with agent() as it:
        it.live(snapshot_of(2, {}))
        async with it.session.post(f"{it.url}/v1/sync") as answer:
            assert (answer.status, await answer.json()) == (200, {"revision": 2, "state": "live"})
        it.agrees, it.status.last_error = False, "nobody answers"
        async with it.session.post(f"{it.url}/v1/sync") as answer:
            problem = decode(await answer.read())
            assert answer.status == 503
            assert "nobody answers" in problem["detail"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:2772", "[::1]:1", "agent.local", "Agent.Local:80"])
async def test_our_own_names_are_served(host: str) -> None:
    async with agent() as it:
        assert (await it.get("/healthz", {"Host": host}))[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.1", "[", "localhost.evil:80"])
async def test_another_host_is_refused_since_a_page_may_have_rebound_its_name(host: str) -> None:
    async with agent() as it:
        status, problem, _ = await it.get("/healthz", {"Host": host})
        assert (status, problem["type"].rsplit("/", 1)[-1]) == (403, "host-refused")


async def test_a_page_of_somebody_else_is_refused() -> None:
    async with agent() as it:
        assert (await it.get("/status", {"Origin": "https://evil.example"}))[0] == 403
        assert (await it.get("/status", {"Origin": "null"}))[0] == 403
        assert (await it.get("/status", {"Origin": "http://localhost:3000"}))[0] == 200


SECRETS = {"db.password": "hunter2", "db.pool": 20}


async def test_sensitive_values_need_the_local_token_over_tcp() -> None:
    async with agent(local_token=TOKEN) as it:
        it.live(snapshot_of(1, SECRETS, sensitive=["db.password"]))
        right, wrong = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer wrong"}
        for path in ("/v1/values/db.password", "/v1/configs/db.password"):
            assert (await it.get(path))[0] == 401
            assert (await it.get(path, wrong))[0] == 401
            assert (await it.get(path, right))[0] == 200
            status, problem, _ = await it.get(path, right | {"X-Forwarded-For": "10.0.0.1"})
            assert (status, "proxy" in problem["detail"]) == (403, True)
        status, document, hidden = await it.get("/v1/configs")
        assert (status, document["configs"]["db.password"]["value"]) == (200, None)
        assert document["configs"]["db.password"]["sensitive"] is True
        _, document, shown = await it.get("/v1/configs", right)
        assert document["configs"]["db.password"]["value"] == "hunter2"
        assert hidden.headers["ETag"] != shown.headers["ETag"]
        assert (await it.get("/v1/configs", right | {"Via": "1.1 proxy"}))[1]["configs"]["db.password"]["value"] is None
        assert (await it.get("/v1/configs", wrong))[0] == 401
        assert (await it.get("/v1/values/db.pool"))[1] == 20


async def test_without_a_local_token_sensitive_values_are_refused_and_the_answer_says_how_to_allow_them() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, SECRETS, sensitive=["db.password"]))
        status, problem, _ = await it.get("/v1/values/db.password", {"Authorization": "Bearer "})
        assert (status, "TRIMTAB_AGENT_LOCAL_TOKEN_FILE" in problem["detail"]) == (403, True)
        assert (await it.get("/v1/configs"))[1]["configs"]["db.password"]["value"] is None


async def test_a_unix_socket_serves_sensitive_values_to_whom_its_mode_lets_in(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    async with agent(listen=Listen(path=path), socket_mode=0o600) as it:
        it.live(snapshot_of(1, SECRETS, sensitive=["db.password"]))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (await it.get("/v1/values/db.password"))[1] == "hunter2"
        assert (await it.get("/v1/values/db.password", {"Host": "anything"}))[0] == 200
        assert (await it.get("/v1/values/db.password", {"Forwarded": "for=10.0.0.1"}))[0] == 403
    assert not path.exists()


async def test_head_has_no_body_and_a_wrong_method_is_told_the_right_ones() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, VALUES))
        async with it.session.head(f"{it.url}/v1/values/db.host") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            assert answer.headers["Content-Length"] == str(len('"db.example"'))
        async with it.session.put(f"{it.url}/v1/values/db.host", data=b"1") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        async with it.session.get(f"{it.url}/v1/sync") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_headers_beyond_the_limit_are_refused_and_the_agent_goes_on() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, VALUES))
        async with it.session.get(f"{it.url}/v1/values/db.host", headers={"X-Long": "x" * 20_000}) as answer:
            assert 400 <= answer.status < 500
        async with it.session.get(f"{it.url}/v1/values/{'x' * 20_000}") as answer:
            assert 400 <= answer.status < 500
        assert (await it.get("/v1/values/db.host"))[0] == 200


@asynccontextmanager
async def watching(it: Agent, query: str = "") -> AsyncIterator[AsyncIterator[Event]]:
    async with it.session.get(f"{it.url}/v1/watch{query}") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield read_events(answer.content.iter_any())


async def test_a_watcher_hears_of_every_swap_and_of_its_prefix_only() -> None:
    async with agent() as it:
        first = snapshot_of(1, VALUES)
        it.live(first)
        async with watching(it) as events, watching(it, "?prefix=db.") as of_db:
            with anyio.fail_after(5):
                assert decode((await anext(events)).data) == {"revision": 1}
                assert (await anext(of_db)).event == "snapshot"
                second = with_values(first, 2, {"greeting": "hej"})
                it.live(second)
                it.live(with_values(second, 3, {"db.pool": 30, "new": 1}, removed=["hosts", "db.host"]))
                assert decode((await anext(events)).data) == {"revision": 2, "changed": ["greeting"], "removed": []}
                last = await anext(events)
                assert last.event == "change"
                assert decode(last.data) == {
                    "revision": 3,
                    "changed": ["db.pool", "new"],
                    "removed": ["db.host", "hosts"],
                }
                assert decode((await anext(of_db)).data) == {
                    "revision": 3,
                    "changed": ["db.pool"],
                    "removed": ["db.host"],
                }


async def to_the_end(events: AsyncIterator[Event]) -> None:
    async for _ in events:
        pass


async def test_a_reader_that_takes_nothing_is_dropped_and_the_others_go_on() -> None:
    async with agent() as it:
        it.live(snapshot_of(1, {}))
        async with watching(it) as slow:
            await anext(slow)
            for revision in range(2, MAX_PENDING + 4):  # without a pause the stream's task cannot take any
                it.live(snapshot_of(revision, {}))
            with anyio.fail_after(5), pytest.raises(aiohttp.ClientError):
                await to_the_end(slow)
        async with watching(it) as events:
            assert decode((await anext(events)).data) == {"revision": MAX_PENDING + 3}
        assert b"trimtab_agent_watchers_dropped_total 1.0" in (await it.get("/metrics"))[1]


async def test_stopping_does_not_wait_for_watchers() -> None:
    with anyio.fail_after(2):
        async with agent() as it, it.session.get(f"{it.url}/v1/watch") as answer:
            await answer.content.readany()

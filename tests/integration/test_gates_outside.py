"""Gates that ask services outside: a real Prometheus over a small exporter, and webhooks of all kinds of manners."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import aiohttp
import anyio
import pytest
from aiohttp import web

from control_plane.domain.gates.measurement import Result
from control_plane.domain.gates.outside import Prefixes, Sources
from control_plane.outside.client import MAX_ANSWER_BYTES, open_client
from control_plane.outside.prometheus import Prometheus
from control_plane.outside.webhooks import HttpWebhooks
from control_plane.ports.gates import Answer, Silence
from tests.rig.outside import HERE
from tests.servers.server import Server, free_port

PATIENCE = 20.0
_BODY = web.RequestKey("body", str)
_Handler = Callable[[web.Request], web.StreamResponse]


@asynccontextmanager
async def listening(port: int, answer: _Handler) -> AsyncIterator[str]:
    """An HTTP server of a test."""

    async def handle(request: web.Request) -> web.StreamResponse:
        request[_BODY] = await request.text()
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def exporter(_request: web.Request) -> web.Response:
    lines = [
        'requests_total{code="200"} 95',
        'requests_total{code="500"} 5',
        "odd NaN",
        "endless +Inf",
    ]
    return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")


@pytest.fixture
async def numbers(prometheus: Server) -> AsyncIterator[Prometheus]:
    """A Prometheus that has scraped the exporter, asked as the control plane asks it."""
    port = int(prometheus.management_url.rpartition(":")[2])
    async with listening(port, exporter), open_client(reachable=HERE) as session:
        asked = Prometheus(session, Sources.parse(prometheus.url))
        with anyio.fail_after(PATIENCE):
            while await asked.number("", 'requests_total{code="500"}') != 5.0:
                await anyio.sleep(0.05)
        yield asked


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ('sum(requests_total{code="500"}) / sum(requests_total)', 0.05),
        ("scalar(count(requests_total))", 2.0),
        ("1.5", 1.5),
        ("vector(3)", 3.0),
        ('up{job="application"}', 1.0),
        ("endless", float("inf")),
        ("-endless", float("-inf")),
        ("requests_total", Silence("the query gives several series")),
        ("no_such_metric", Silence("the query gives nothing")),
        ("requests_total[1m]", Silence("the query gives a matrix, not a number")),
        ('"text"', Silence("the query gives a string, not a number")),
    ],
)
async def test_a_number_is_what_one_series_or_a_scalar_gives(
    numbers: Prometheus, query: str, answer: float | Silence
) -> None:
    assert await numbers.number("", query) == answer


@pytest.mark.parametrize("query", ["odd", "0 / 0", 'sum(requests_total{code="500"}) * scalar(odd)'])
async def test_no_number_is_told_as_such(numbers: Prometheus, query: str) -> None:
    number = await numbers.number("", query)
    assert isinstance(number, float)
    assert number != number  # noqa: PLR0124 - that is what NaN is


async def test_what_is_wrong_with_a_query_is_told(numbers: Prometheus) -> None:
    silence = await numbers.number("", "sum(")
    assert isinstance(silence, Silence)
    assert silence.detail.startswith('it answered with status 400: invalid parameter "query": 1:5: parse error')


async def test_a_source_that_the_settings_do_not_name_is_not_asked(numbers: Prometheus) -> None:
    assert not numbers.knows("other")
    assert await numbers.number("other", "1") == Silence("the settings name no such Prometheus")


async def test_a_prometheus_that_is_away_gives_no_number() -> None:
    async with open_client(reachable=HERE) as session:
        asked = Prometheus(session, Sources.parse(f"http://user:password@127.0.0.1:{free_port()}"))
        assert await asked.number("", "1") == Silence("it cannot be asked (ClientConnectorError)")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"data": {"resultType": "vector", "result": [{"value": [1]}]}}',
        '{"data": {"resultType": "scalar"}}',
    ],
)
async def test_what_does_not_speak_like_a_prometheus_is_none(text: str) -> None:
    async with listening(free_port(), lambda _: web.Response(text=text)) as url, open_client(reachable=HERE) as session:
        asked = Prometheus(session, Sources.parse(url))
        assert await asked.number("", "1") == Silence("its answer is not one of Prometheus")


async def test_a_prometheus_behind_a_password_and_a_path_is_asked_there() -> None:
    def guarded(request: web.Request) -> web.Response:
        allowed = request.headers.get("Authorization") == aiohttp.encode_basic_auth("user", "pass")
        right = allowed and request.path == "/below/api/v1/query" and "query=up" in request[_BODY]
        return web.json_response({"data": {"resultType": "scalar", "result": [1, "7"]}}, status=200 if right else 403)

    async with listening(free_port(), guarded) as url, open_client(reachable=HERE) as session:
        asked = Prometheus(session, Sources.parse(url.replace("http://", "http://user:pass@") + "/below/"))
        assert await asked.number("", "up") == 7.0


async def ask(
    answer: _Handler, *, path: str = "/gates/x", allowed: str = "/gates", patience: float = 5
) -> Answer | Silence:
    async with listening(free_port(), answer) as url, open_client(patience, reachable=HERE) as session:
        return await HttpWebhooks(session, Prefixes.parse(url + allowed)).ask(url + path, {"rollout": str(uuid4())})


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ({"result": "pass"}, Answer(Result.PASS)),
        ({"result": "fail", "detail": "p99 is 2 s", "more": 1}, Answer(Result.FAIL, "p99 is 2 s")),
        ({"result": "inconclusive", "detail": 7}, Answer(Result.INCONCLUSIVE)),
    ],
)
async def test_a_webhook_answers_with_a_result(document: object, answer: Answer) -> None:
    def judge(request: web.Request) -> web.Response:
        assert request.method == "POST"
        assert request.content_type == "application/json"
        assert '"rollout"' in request[_BODY]
        return web.json_response(document)

    assert await ask(judge) == answer


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"result": "PASS"}', '{"result": ["pass"]}', '{"result": true}'])
async def test_any_other_answer_is_none(text: str) -> None:
    assert await ask(lambda _: web.Response(text=text)) == Silence(
        "its answer has no result that is pass, fail or inconclusive"
    )


@pytest.mark.parametrize("status", [201, 204, 404, 500, 503])
async def test_only_status_200_is_an_answer(status: int) -> None:
    silent = await ask(lambda _: web.json_response({"result": "pass"}, status=status))
    assert silent == Silence(f"it answered with status {status}")


async def test_nobody_follows_a_webhook_elsewhere() -> None:
    asked: list[str] = []

    def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/gates/other"})

    assert await ask(elsewhere) == Silence("it answered with status 307")
    assert asked == ["/gates/x"]


async def test_a_long_answer_is_not_read_to_its_end() -> None:
    long = '{"result": "pass", "x": "' + "x" * MAX_ANSWER_BYTES + '"}'
    assert await ask(lambda _: web.Response(text=long)) == Silence("its answer is longer than 65536 bytes")


async def test_what_is_no_json_is_no_answer() -> None:
    assert await ask(lambda _: web.Response(text="pass")) == Silence("its answer is not JSON")


async def test_a_webhook_that_takes_too_long_is_not_waited_for() -> None:
    async def accept(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    port = free_port()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    async with anyio.create_task_group() as group, open_client(0.2, reachable=HERE) as session:
        group.start_soon(listener.serve, accept)
        url = f"http://127.0.0.1:{port}/"
        assert await HttpWebhooks(session, Prefixes.parse(url)).ask(url, {}) == Silence("it did not answer in time")
        group.cancel_scope.cancel()
    await listener.aclose()


async def test_a_webhook_that_is_not_allowed_is_never_asked() -> None:
    asked: list[str] = []

    def judge(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"result": "pass"})

    for path in ("/other", "/gatesx", "/gates/../other", "/gates/%2e%2e/other"):
        assert await ask(judge, path=path) == Silence("the settings do not allow to ask it")
    assert asked == []


async def test_a_name_that_nobody_knows_is_inconclusive() -> None:
    async with open_client(reachable=HERE) as session:
        url = "http://nobody.invalid/gates"
        silent = await HttpWebhooks(session, Prefixes.parse(url)).ask(url, {})
        assert isinstance(silent, Silence)
        assert silent.detail.startswith("it cannot be asked")

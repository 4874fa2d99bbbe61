"""HTTP itself: methods, headers, health, metrics, logs."""

import logging
from collections.abc import AsyncIterator

import anyio
import pytest

from control_plane.ports.probes import DependencyState
from tests.rig.api import Api, serving_api


class _Away:
    """A dependency that is not there."""

    def __init__(self, *, required: bool) -> None:
        self._required = required

    async def probe(self) -> DependencyState:
        return DependencyState("redis", ok=False, required=self._required, detail="nobody answers")


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


async def test_head_answers_like_get_without_a_body(api: Api) -> None:
    await api.register()
    for path in ("/apps", "/apps/shop", "/snapshots/shop/prod", "/snapshots/shop/prod/watch", "//healthz", "//docs"):
        answer = await api.call("HEAD", path)
        assert (answer.status, answer.body) == (200, b""), path


async def test_a_method_that_is_not_there_names_those_that_are(api: Api) -> None:
    answer = await api.call("PATCH", "/configs")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD,POST")
    assert answer.document["type"].endswith("method-not-allowed")


async def test_every_answer_protects_its_reader(api: Api) -> None:
    for path in ("/apps", "/nope", "//healthz", "//docs", "/configs?limit=0"):
        headers = (await api.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Request-Id"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == ("no-cache" if path == "//docs" else "no-store")


async def test_a_request_keeps_the_id_that_it_came_with(api: Api) -> None:
    answer = await api.get("/configs/nope", headers={"X-Request-Id": "abc-1"})
    assert (answer.headers["X-Request-Id"], answer.document["instance"]) == ("abc-1", "abc-1")


async def test_health_needs_nothing(api: Api) -> None:
    answer = await api.get("//healthz", token=None)
    assert (answer.status, answer.document) == (200, {"status": "ok"})


async def test_readiness_names_each_dependency(migrated_url: str) -> None:
    for required, status in ((False, 200), (True, 503)):
        async with serving_api(migrated_url, probes=(_Away(required=required),)) as api:
            answer = await api.get("//readyz", token=None)
            assert answer.status == status
            states = {each["name"]: each["ok"] for each in answer.document["dependencies"]}
            assert states == {"postgresql": True, "encryption-keys": True, "redis": False}


async def test_metrics_count_requests_by_route_and_name_nothing_else(api: Api) -> None:
    token = await api.register("secret-project", "prod")
    await api.get("/apps/secret-project")
    await api.get("/nope")
    text = (await api.get("//metrics", token=None)).body.decode()
    assert 'trimtab_http_requests_total{method="GET",route="/api/v1/apps/{app}",status="200"} 1.0' in text
    assert 'route="unknown",status="404"' in text
    assert "secret-project" not in text
    assert token not in text


async def test_the_log_tells_who_did_what_but_no_secret(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = await api.register()
    await api.post("/configs", {"key": "a", "value": "hunter2"}, headers={"X-Request-Id": "abc-1"})
    await api.get("/configs?text=hunter2", headers={"X-Request-Id": "abc-2"})
    lines = {each.__dict__["request_id"]: each for each in caplog.records if each.name.endswith("observe")}
    write, read = lines["abc-1"], lines["abc-2"]
    assert (write.levelname, write.__dict__["principal"]) == ("INFO", "operator")
    assert (write.__dict__["route"], write.__dict__["status"]) == ("/api/v1/configs", 201)
    assert read.levelname == "DEBUG"
    everything = "\n".join(str(each.__dict__) for each in caplog.records)
    for secret in (token, api.operator, "hunter2"):
        assert secret not in everything


async def test_whoever_is_turned_away_is_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    token = await api.register()
    await api.get("/apps", token="guess", headers={"X-Request-Id": "abc-1"})
    await api.get("/apps", token=token, headers={"X-Request-Id": "abc-2"})
    stranger, agent = (each.__dict__ for each in caplog.records)
    assert (stranger["request_id"], stranger["status"], stranger["principal"]) == ("abc-1", 401, "")
    assert (agent["request_id"], agent["status"], agent["principal"][:6]) == ("abc-2", 403, "agent:")
    assert {stranger["address"], agent["address"]} == {"127.0.0.1"}
    assert "guess" not in str(stranger)


async def test_what_is_not_http_is_refused_and_the_server_goes_on(api: Api) -> None:
    for request in (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Big: " + b"x" * 20_000 + b"\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/v1/apps HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        async with await anyio.connect_tcp("127.0.0.1", int(api.url.rpartition(":")[2])) as stream:
            await stream.send(request)
            with anyio.fail_after(5):
                assert (await stream.receive()).startswith((b"HTTP/1.0 4", b"HTTP/1.1 4")), request
    assert (await api.get("//healthz")).status == 200


async def test_a_body_that_is_not_encoded_as_it_says_is_malformed(api: Api) -> None:
    answer = await api.post("/apps", None, raw=b"not gzip", headers={"Content-Encoding": "gzip"})
    assert answer.status == 400


async def test_a_caller_that_hangs_up_in_its_body_is_no_fault_of_ours(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    head = f"POST /api/v1/apps HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.operator}\r\n"
    stream = await anyio.connect_tcp("127.0.0.1", int(api.url.rpartition(":")[2]))
    async with stream:
        await stream.send(head.encode() + b'Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"app_id"')
    with anyio.fail_after(5):
        while not any(each.name.endswith("observe") for each in caplog.records):
            await anyio.sleep(0.01)
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == []
    assert (await api.get("/apps")).document["items"] == []

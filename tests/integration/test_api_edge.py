"""What browsers are told about every answer, by which names the API is called, and who may connect."""

import anyio
import pytest
from anyio.abc import SocketStream

from control_plane.domain.proxies import TrustedProxies
from shared.runtime import connection
from tests.rig.api import Api, serving_api

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def test_every_answer_carries_what_protects_its_reader(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        agent = await api.register()
        answers = [
            await api.get("/apps"),
            await api.get("/apps", token=None),
            await api.call("GET", "//nothing/here"),
            await api.post("/apps", {"app_id": "!"}),
            await api.get("/snapshots/shop/prod", token=agent),
            *[
                await api.call("GET", f"//{path}", token=None)
                for path in ("healthz", "metrics", "docs", "openapi.json")
            ],
        ]
        for answer in answers:
            assert answer.headers.items() >= EVERYWHERE.items(), answer
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
            assert "camera=()" in answer.headers["Permissions-Policy"]
            assert "Strict-Transport-Security" not in answer.headers
            assert "Access-Control-Allow-Origin" not in answer.headers
        assert {each.headers["Cache-Control"] for each in answers[:5]} == {"no-store"}


async def test_hsts_is_for_what_came_over_tls_by_the_word_of_those_we_trust(migrated_url: str) -> None:
    over_tls = {"X-Forwarded-Proto": "https"}
    async with serving_api(migrated_url, proxies=TrustedProxies.parse("127.0.0.1")) as api:
        assert "Strict-Transport-Security" in (await api.get("/apps", headers=over_tls)).headers
        assert "Strict-Transport-Security" not in (await api.get("/apps")).headers
    async with serving_api(migrated_url) as api:
        assert "Strict-Transport-Security" not in (await api.get("/apps", headers=over_tls)).headers


async def test_a_page_with_a_name_of_its_own_is_refused(migrated_url: str) -> None:
    async with serving_api(migrated_url, public_hosts="config.example") as api:
        for host in ("evil.example", "config.example.evil"):
            refused = await api.call("GET", "//api/v1/nothing", headers={"Host": host})
            assert (refused.status, refused.document["type"].rpartition("/")[2]) == (421, "misdirected")
            assert host not in refused.document["detail"]
        assert (await api.get("/apps", headers={"Host": "config.example"})).status == 200


async def test_pages_call_only_where_a_setting_names_their_origin(migrated_url: str) -> None:
    async with serving_api(migrated_url, cors_origins="https://tools.example") as api:
        asked = {"Origin": "https://tools.example", "Access-Control-Request-Method": "PUT"}
        preflight = await api.call("OPTIONS", "//api/v1/nothing", token=None, headers=asked)
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://tools.example"
        assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
        answer = await api.get("/apps", headers={"Origin": "https://tools.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://tools.example"
        for origin in ("https://evil.example", "null", "https://tools.example.evil", "http://tools.example"):
            other = await api.get("/apps", headers={"Origin": origin})
            assert "Access-Control-Allow-Origin" not in other.headers
            assert other.headers["Vary"] == "Origin"
            assert (await api.call("OPTIONS", "//api/v1/nothing", headers=asked | {"Origin": origin})).status == 404
        assert "Access-Control-Allow-Credentials" not in answer.headers


def port_of(api: Api) -> int:
    return int(api.url.rpartition(":")[2])


async def ask(stream: SocketStream) -> bytes:
    await stream.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with anyio.fail_after(5):
        return await stream.receive()


async def test_one_connection_too_many_is_told_so(migrated_url: str) -> None:
    async with serving_api(migrated_url, max_connections_per_address=2) as api:
        one = await anyio.connect_tcp("127.0.0.1", port_of(api))
        other = await anyio.connect_tcp("127.0.0.1", port_of(api))
        assert (await ask(one)).startswith(b"HTTP/1.1 200")
        assert (await ask(other)).startswith(b"HTTP/1.1 200")
        async with await anyio.connect_tcp("127.0.0.1", port_of(api)) as third:
            with anyio.fail_after(5):
                assert b"HTTP/1.1 503" in await third.receive()
        await one.aclose()
        with anyio.fail_after(5):
            while True:
                async with await anyio.connect_tcp("127.0.0.1", port_of(api)) as again:
                    if (await ask(again)).startswith(b"HTTP/1.1 200"):
                        break
        await other.aclose()


async def test_a_reader_who_does_not_read_is_let_go(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALL_TIMEOUT", 0.3)
    async with serving_api(migrated_url) as api, await anyio.connect_tcp("127.0.0.1", port_of(api)) as stream:
        await stream.send(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30)
        await anyio.sleep(1.5)
        with anyio.fail_after(20), pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await _read_to_the_end(stream)


async def _read_to_the_end(stream: SocketStream) -> None:
    """Take what the kernel holds already, until the connection ends."""
    while True:
        await stream.receive()


async def test_a_reader_who_reads_slowly_is_not(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALL_TIMEOUT", 0.3)
    async with serving_api(migrated_url) as api, await anyio.connect_tcp("127.0.0.1", port_of(api)) as stream:
        request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        await stream.send(request * 4)
        taken = 0
        with anyio.fail_after(20):
            while taken < 4 * 1_000_000:
                taken += len(await stream.receive(262_144))
                await anyio.sleep(0.01)

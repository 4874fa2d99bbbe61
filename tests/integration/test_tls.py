"""The API over TLS, and clients with certificates: the real control plane, real agents, real handshakes."""

import os
import signal
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
import trustme
from anyio import to_thread

from control_plane.domain.access.role import Role
from control_plane.domain.access.token import new_token
from control_plane.main import running_control_plane
from control_plane.settings.load import SettingsError, load_settings
from shared.runtime import tls as tls_module
from tests.rig.process import Process
from tests.rig.seals import ENCRYPTION_KEY
from tests.rig.tls import certificate, named, serving_with, write
from tests.servers.server import free_port

AUTHORITY, OTHER = trustme.CA(), trustme.CA()
TOKEN = new_token(Role.OPERATOR)
DEADLINE = 20.0
REPORT = {
    "app_id": "shop",
    "environment": "prod",
    "agent_version": "1",
    "state": "live",
    "transport": "sse",
    "revisions": {"global": 0, "app": 0, "environment": 0},
}


@dataclass
class Site:
    """A control plane that speaks TLS."""

    url: str
    directory: Path

    @asynccontextmanager
    async def session(self, leaf: trustme.LeafCert | None = None) -> AsyncIterator[aiohttp.ClientSession]:
        """A client that trusts our authority; every request is a new connection."""
        context = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
        if leaf is not None:
            leaf.configure_cert(context)
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield session

    async def call(
        self, session: aiohttp.ClientSession, method: str, path: str, body: Any = None, *, token: str = TOKEN
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        async with session.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def register(self) -> str:
        """The token of an application/environment that there is from now on."""
        async with self.session() as session:
            await self.call(session, "POST", "/apps", {"app_id": "shop"})
            await self.call(session, "POST", "/apps/shop/environments", {"environment": "prod"})
            await self.call(
                session, "POST", "/configs", {"app_id": "shop", "environment": "prod", "key": "a", "value": 1}
            )
            _, made = await self.call(session, "POST", "/apps/shop/environments/prod/agent-tokens", {})
            return str(made["token"])

    @contextmanager
    def agent(self, token: str, **settings: str) -> Iterator[Process]:
        environ = {
            "TRIMTAB_APP": "shop",
            "TRIMTAB_ENVIRONMENT": "prod",
            "TRIMTAB_CONTROL_PLANE_URL": self.url,
            "TRIMTAB_AGENT_TOKEN": token,
            "TRIMTAB_AGENT_CA_FILE": str(self.directory / "authority.pem"),
            "TRIMTAB_AGENT_LISTEN": f"127.0.0.1:{(port := free_port())}",
            "TRIMTAB_AGENT_STATE_DIR": str(self.directory / f"state-{port}"),
        }
        process = Process("agent", [], f"http://127.0.0.1:{port}", environ | settings, self.directory / f"{port}.log")
        process.start()
        try:
            yield process
        finally:
            process.close()


def environ(database_url: str, directory: Path, **settings: str) -> dict[str, str]:
    (directory / "authority.pem").write_bytes(AUTHORITY.cert_pem.bytes())
    files = {f"TRIMTAB_TLS_{name}": value for name, value in write(certificate(AUTHORITY), directory, "api").items()}
    return {
        "TRIMTAB_DATABASE_URL": database_url,
        "TRIMTAB_BOOTSTRAP_TOKEN": TOKEN,
        "TRIMTAB_ENCRYPTION_KEY": ENCRYPTION_KEY,
        "TRIMTAB_LISTEN": "127.0.0.1:0",
        **files,
        **settings,
    }


@asynccontextmanager
async def control_plane(database_url: str, directory: Path, **settings: str) -> AsyncIterator[Site]:
    async with running_control_plane(load_settings(environ(database_url, directory, **settings))) as listen:
        yield Site(f"https://{listen}", directory)


async def presented(site: Site) -> str:
    """The certificate that a new connection is shown."""
    host, _, port = site.url.removeprefix("https://").partition(":")
    return await to_thread.run_sync(ssl.get_server_certificate, (host, int(port)))


async def test_an_agent_follows_over_tls_and_nobody_gets_less(migrated_url: str, tmp_path: Path) -> None:
    async with control_plane(migrated_url, tmp_path) as site:
        token = await site.register()
        with site.agent(token) as agent:
            await agent.until_ok()
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            async with aiohttp.ClientSession() as session:
                await session.get(f"{site.url}/healthz")
        with pytest.raises(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session:
                await session.get(f"{site.url.replace('https', 'http')}/healthz")
        old = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=old)) as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"{site.url}/healthz")
        async with site.session() as session, session.get(f"{site.url}/healthz") as answer:
            assert "max-age" in answer.headers["Strict-Transport-Security"]


async def test_a_new_certificate_is_shown_without_a_restart(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_module, "LOOK_EVERY", 0.0)
    async with control_plane(migrated_url, tmp_path) as site:
        token = await site.register()
        first = await presented(site)
        with site.agent(token) as agent:
            await agent.until_ok()
            (tmp_path / "api.pem").write_bytes(b"half of a certificate")
            assert await presented(site) == first
            renewed = certificate(AUTHORITY)
            (tmp_path / "api.pem").write_bytes(renewed.cert_chain_pems[0].bytes())
            assert await presented(site) == first, "its key has not come yet"
            (tmp_path / "api.key").write_bytes(renewed.private_key_pem.bytes())
            second = await presented(site)
            assert second != first
            async with site.session() as session:
                change = {
                    "operations": [{"op": "put", "app_id": "shop", "environment": "prod", "key": "a", "value": 2}]
                }
                assert (await site.call(session, "POST", "/changes", change))[0] == 201
            with anyio.fail_after(DEADLINE):
                async with aiohttp.ClientSession() as session:
                    while True:
                        async with session.get(f"{agent.url}/v1/values/a") as answer:
                            if await answer.json() == 2:
                                break
                        await anyio.sleep(0.02)


async def test_an_agents_certificate_is_renewed_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_module, "LOOK_EVERY", 0.0)
    (tmp_path / "authority.pem").write_bytes(AUTHORITY.cert_pem.bytes())
    files = write(AUTHORITY.issue_cert("agent-1"), tmp_path, "agent")
    own = tls_module.client_context(tmp_path / "authority.pem", *map(Path, files.values()))
    server = serving_with(certificate(AUTHORITY), AUTHORITY)
    assert shown_to(server, own) == "agent-1"
    write(AUTHORITY.issue_cert("agent-2"), tmp_path, "agent")
    assert shown_to(server, own) == "agent-2"
    (tmp_path / "authority.pem").write_bytes(OTHER.cert_pem.bytes())
    with pytest.raises(ssl.SSLCertVerificationError):
        shown_to(server, own)


def shown_to(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Shake hands in memory; the name in the client's certificate."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(down, up, server_hostname="localhost")
    there = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    told: Any = there.getpeercert()
    return str(told["subjectAltName"][0][1])


async def test_agents_show_a_certificate_where_that_is_wanted(migrated_url: str, tmp_path: Path) -> None:
    settings = {
        "TRIMTAB_TLS_CLIENT_CA_FILE": str(tmp_path / "authority.pem"),
        "TRIMTAB_TLS_CLIENT_CERTIFICATES": "agents",
    }
    async with control_plane(migrated_url, tmp_path, **settings) as site:
        token = await site.register()
        async with site.session() as session:
            status, problem = await site.call(session, "GET", "/snapshots/shop/prod", token=token)
            assert (status, "certificate" in problem["detail"]) == (403, True)
        async with site.session(AUTHORITY.issue_cert("any-agent")) as session:
            assert (await site.call(session, "GET", "/snapshots/shop/prod", token=token))[0] == 200
        with pytest.raises(aiohttp.ClientError):
            async with site.session(OTHER.issue_cert("stranger")) as session:
                await site.call(session, "GET", "/snapshots/shop/prod", token=token)
        files = write(AUTHORITY.issue_cert("agent-1"), tmp_path, "agent")
        with site.agent(token, **{f"TRIMTAB_AGENT_{name}": value for name, value in files.items()}) as agent:
            await agent.until_ok()


async def test_who_has_the_certificate_of_one_instance_cannot_speak_for_another(
    migrated_url: str, tmp_path: Path
) -> None:
    async with control_plane(
        migrated_url, tmp_path, TRIMTAB_TLS_CLIENT_CA_FILE=str(tmp_path / "authority.pem")
    ) as site:
        token = await site.register()
        asked: list[tuple[str, dict[str, Any], int]] = [
            ("/agents/enrol", {}, 200),
            ("/agents/report", REPORT, 200),
            ("/apps/shop/environments/prod/broker-credentials", {}, 404),  # there is no broker
        ]
        async with site.session(named(AUTHORITY, "trimtab://agent/shop/prod/one")) as session:
            for at, body, good in asked:
                status, problem = await site.call(session, "POST", at, body | {"instance": "one"}, token=token)
                assert status == good, (at, problem)
                status, problem = await site.call(session, "POST", at, body | {"instance": "two"}, token=token)
                assert (status, "certificate" in problem["detail"]) == (403, True), at


async def test_a_control_plane_that_is_told_to_read_again_goes_on(migrated_url: str, tmp_path: Path) -> None:
    given = environ(migrated_url, tmp_path, TRIMTAB_LISTEN=f"127.0.0.1:{(port := free_port())}")
    plain = {name: value for name, value in given.items() if not name.startswith("TRIMTAB_TLS_")}
    process = Process("control_plane", ["control-plane"], f"http://127.0.0.1:{port}", plain, tmp_path / "plane.log")
    process.start()
    try:
        await process.until_ok()
        os.kill(process.pid, signal.SIGHUP)
        await process.until_ok()
        assert process.stop(20) == 0
    finally:
        process.close()


async def test_where_all_have_to_show_one_nobody_else_is_heard(migrated_url: str, tmp_path: Path) -> None:
    settings = {
        "TRIMTAB_TLS_CLIENT_CA_FILE": str(tmp_path / "authority.pem"),
        "TRIMTAB_TLS_CLIENT_CERTIFICATES": "required",
    }
    async with control_plane(migrated_url, tmp_path, **settings) as site:
        with pytest.raises(aiohttp.ClientError):
            async with site.session() as session:
                await session.get(f"{site.url}/healthz")
        async with site.session(AUTHORITY.issue_cert("somebody")) as session:
            assert (await site.call(session, "GET", "/apps"))[0] == 200


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"TRIMTAB_TLS_KEY_FILE": ""}, "TRIMTAB_TLS_KEY_FILE"),
        ({"TRIMTAB_TLS_CERTIFICATE_FILE": ""}, "TRIMTAB_TLS_KEY_FILE"),
        ({"TRIMTAB_TLS_CLIENT_CERTIFICATES": "agents"}, "TRIMTAB_TLS_CLIENT_CERTIFICATES"),
    ],
)
def test_half_of_what_tls_takes_is_refused(tmp_path: Path, settings: dict[str, str], wrong: str) -> None:
    with pytest.raises(SettingsError, match=wrong):
        load_settings(environ("postgresql://x", tmp_path, **settings))


def test_a_key_that_wants_a_password_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    leaf = certificate(AUTHORITY)
    files = write(leaf, tmp_path, "api")
    key: Any = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    locked = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"x"))
    Path(files["KEY_FILE"]).write_bytes(locked)
    with pytest.raises(ValueError, match="encrypted"):
        tls_module.server_context(Path(files["CERTIFICATE_FILE"]), Path(files["KEY_FILE"]))

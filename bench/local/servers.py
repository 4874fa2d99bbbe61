"""The contenders that start in a moment: our agents, nginx, Redis, etcd, and Consul and flagd where they are installed."""

import base64
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import anyio

from bench.local.contender import AbsentError, Contender, pinned
from bench.local.material import FLAG, KEY, Material, flagd_document
from shared.domain.codec import encode
from tests.rig.storm import APP, ENVIRONMENT, TOKEN, Storm
from tests.servers.server import free_port

_NGINX = """
worker_processes 1;
pid {home}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    open_file_cache max=100;
    default_type application/json;
    client_body_temp_path {home}/b; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;
    uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
    server {{
        listen 127.0.0.1:{port};
        listen unix:{home}/nginx.sock;
        root {home}/files;
    }}
}}
"""


def program(name: str) -> str:
    """The path of a program.

    Raises:
        AbsentError: it is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        msg = f"{name} is not on the PATH"
        raise AbsentError(msg)
    return found


async def version_of(*command: str) -> str:
    """The first number with dots in what a program says of itself."""
    done = await anyio.run_process(command, check=False)
    words = (done.stdout + done.stderr).decode(errors="replace").replace("/", " ").replace("=", " ").split()
    return next((each.lstrip("v").rstrip(",") for each in words if each.lstrip("v")[:1].isdigit() and "." in each), "?")


@asynccontextmanager
async def agent(home: Path, storm: Storm, *, unix: bool = False, **settings: str) -> AsyncIterator[Contender]:
    """One of our agents, live, as it runs in production."""
    home.mkdir()
    port, socket = free_port(), home / "agent.sock"
    tcp = "" if unix else f"127.0.0.1:{port}"
    environ = {
        "TRIMTAB_APP": APP,
        "TRIMTAB_ENVIRONMENT": ENVIRONMENT,
        "TRIMTAB_CONTROL_PLANE_URL": storm.url,
        "TRIMTAB_AGENT_TOKEN": TOKEN,
        "TRIMTAB_AGENT_LISTEN": f"unix:{socket}" if unix else tcp,
        "TRIMTAB_AGENT_STATE_DIR": str(home / "state"),
        **settings,
    }
    command = [sys.executable, "-m", "agent"]
    async with pinned(command, home / "log", tcp or str(socket), environ) as process:
        await _until_live(tcp, str(socket) if unix else "")
        yield Contender("trimtab-agent", "", process, home, tcp, str(socket) if unix else "")


async def _until_live(tcp: str, unix: str) -> None:
    connector = aiohttp.UnixConnector(unix) if unix else aiohttp.TCPConnector()
    async with aiohttp.ClientSession(f"http://{tcp or 'localhost'}", connector=connector) as session:
        with anyio.fail_after(30):
            while True:
                async with session.get("/status") as answer:
                    if (await answer.json(content_type=None))["state"] == "live":
                        return
                await anyio.sleep(0.02)


@asynccontextmanager
async def nginx(home: Path, files: Mapping[str, bytes]) -> AsyncIterator[Contender]:
    """Debian's nginx with one worker and its file cache, serving these files."""
    binary, port = program("nginx"), free_port()
    (home / "files").mkdir(parents=True)
    home.chmod(0o755)
    for name, content in files.items():
        (home / "files" / name).write_bytes(content)
    (home / "nginx.conf").write_text(_NGINX.format(home=home, port=port))
    command = [binary, "-p", str(home), "-c", str(home / "nginx.conf"), "-e", "stderr", "-g", "daemon off;"]
    async with pinned(command, home / "log", f"127.0.0.1:{port}") as process:
        version = await version_of(binary, "-v")
        yield Contender("nginx, static file", version, process, home, f"127.0.0.1:{port}", str(home / "nginx.sock"))


@asynccontextmanager
async def redis(home: Path, values: Mapping[str, bytes]) -> AsyncIterator[Contender]:
    """Redis without persistence."""
    binary, port = program("redis-server"), free_port()
    program("redis-benchmark")
    home.mkdir()
    command = [
        binary,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(home),
    ]
    async with pinned(command, home / "log", f"127.0.0.1:{port}") as process:
        import redis.asyncio as client  # noqa: PLC0415 - only here

        async with client.Redis(port=port) as connection:
            for key, value in values.items():
                await connection.set(key, value)
        yield Contender("Redis, GET", await version_of(binary, "--version"), process, home, f"127.0.0.1:{port}")


@asynccontextmanager
async def etcd(home: Path, material: Material) -> AsyncIterator[Contender]:
    """One member, asked over its HTTP gateway."""
    binary, port, peer = program("etcd"), free_port(), free_port()
    home.mkdir()
    client, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    command = [
        binary, "--data-dir", str(home / "data"), "--log-level", "error",
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
    ]  # fmt: skip
    async with pinned(command, home / "log", f"127.0.0.1:{port}") as process:
        body = {"key": base64_of(KEY.encode()), "value": base64_of(material.value)}
        await _until_taken("POST", f"{client}/v3/kv/put", encode(body))
        yield Contender(
            "etcd, range by HTTP", await version_of(binary, "--version"), process, home, f"127.0.0.1:{port}"
        )


@asynccontextmanager
async def consul(home: Path, material: Material) -> AsyncIterator[Contender]:
    """A server in development mode: in memory, alone."""
    binary, port = program("consul"), free_port()
    home.mkdir()
    others = [f"-{name}-port=-1" for name in ("dns", "grpc", "grpc-tls", "https")]
    ports = [f"-server-port={free_port()}", f"-serf-lan-port={free_port()}", f"-serf-wan-port={free_port()}"]
    command = [binary, "agent", "-dev", "-bind=127.0.0.1", f"-http-port={port}", "-log-level=error", *others, *ports]
    async with pinned(command, home / "log", f"127.0.0.1:{port}") as process:
        await _until_taken("PUT", f"http://127.0.0.1:{port}/v1/kv/{KEY}", material.value)
        yield Contender("Consul, KV", await version_of(binary, "version"), process, home, f"127.0.0.1:{port}")


@asynccontextmanager
async def flagd(home: Path, flags: int) -> AsyncIterator[Contender]:
    """Evaluates over OFREP; the same flags."""
    binary, port = program("flagd"), free_port()
    home.mkdir()
    (home / "flags.json").write_bytes(encode(flagd_document(flags)))
    ports = ["--port", str(free_port()), "--management-port", str(free_port()), "--sync-port", str(free_port())]
    command = [binary, "start", "--uri", f"file:{home}/flags.json", "--ofrep-port", str(port), *ports]
    async with pinned(command, home / "log", f"127.0.0.1:{port}") as process:
        await _until_taken("POST", f"http://127.0.0.1:{port}/ofrep/v1/evaluate/flags/{FLAG}", b'{"context":{}}')
        yield Contender("flagd, OFREP", await version_of(binary, "version"), process, home, f"127.0.0.1:{port}")


async def _until_taken(method: str, url: str, body: bytes) -> None:
    """Ask until it works: a server that listens may still be getting ready."""
    async with aiohttp.ClientSession() as session:
        with anyio.fail_after(30):
            while True:
                async with session.request(method, url, data=body) as answer:
                    if answer.status < 300:  # noqa: PLR2004 - HTTP
                        return
                await anyio.sleep(0.1)


def base64_of(content: bytes) -> str:
    """How etcd wants keys and values."""
    return base64.b64encode(content).decode()

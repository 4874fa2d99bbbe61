"""Who asks: wrk, redis-benchmark and a client of our own, each on the clients' core. Each run gives the same three numbers."""

import re
import sys
from dataclasses import dataclass
from itertools import count

import anyio

from bench.local.contender import CLIENT_CORE, Contender
from shared.domain.codec import Json, decode

CONNECTIONS = 32
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}
_runs = count(1)


class UnfairError(Exception):
    """A run whose numbers would say nothing: answers that were no success, or none at all."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run showed: microseconds of the server's CPU for a request, requests a second, the median answer in microseconds."""

    cpu: float
    rate: float
    p50: float


@dataclass(frozen=True, slots=True)
class Requests:
    """What is asked for. In path and body `@` becomes another number for each request."""

    path: str
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def differ(self) -> bool:
        """Whether no two requests are the same."""
        return "@" in self.path + self.body

    def script(self) -> str:
        """The Lua that wrk makes them with; no two runs make the same ones."""
        headers = ", ".join(f'["{name}"] = "{value}"' for name, value in self.headers)
        method, body = ("POST", _lua(self.body)) if self.body else ("GET", "nil")
        made = f'wrk.format("{method}", {_lua(self.path)}, {{{headers}}}, {body})'
        if not self.differ:
            return f"local made\ninit = function() made = {made} end\nrequest = function() return made end\n"
        start = next(_runs) * 10_000_000
        return f"local n = {start}\nrequest = function() n = n + 1; return {made} end\n"


async def wrk(server: Contender, requests: Requests, seconds: float, connections: int = CONNECTIONS) -> Run:
    """Ask over TCP."""
    path = anyio.Path(server.home) / "ask.lua"
    await path.write_text(requests.script())
    options = [
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--latency",
        "--timeout",
        "10s",
        "-s",
        str(path),
    ]
    cpu = server.cpu()
    said = await _run("wrk", *options, f"http://{server.tcp}{'/' if requests.differ else requests.path}")
    cpu = server.cpu() - cpu
    if trouble := re.search(r"(Non-2xx|Socket errors).*", said):
        msg = f"{requests.path}: {trouble[0]}"
        raise UnfairError(msg)
    asked, median = re.search(r"(\d+) requests in ", said), re.search(r"50%\s+([\d.]+)(us|ms|s)\b", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if not asked or not median or not rate or asked[1] == "0":
        msg = f"{requests.path}: wrk says {said!r}"
        raise UnfairError(msg)
    return Run(cpu / int(asked[1]) * 1e6, float(rate[1]), float(median[1]) * _UNITS[median[2]])


async def redis_get(server: Contender, key: str, seconds: float, connections: int = CONNECTIONS) -> Run:
    """GET one key by Redis' own benchmark, without pipelining."""
    host, _, port = server.tcp.rpartition(":")
    number = round(seconds * (60_000 if connections > 1 else 12_000))
    cpu = server.cpu()
    options = ["-h", host, "-p", port, "-c", str(connections), "-n", str(number), "-P", "1", "--csv", "GET", key]
    said = await _run("redis-benchmark", *options)
    cpu = server.cpu() - cpu
    cells = [each.strip('"') for each in said.strip().splitlines()[-1].split(",")]
    return Run(cpu / number * 1e6, float(cells[1]), float(cells[4]) * 1e3)


async def ours(server: Contender, path: str, seconds: float, connections: int, *, unix: bool) -> Run:
    """Ask by a client of our own, which can do so over a unix socket as well."""
    address = server.unix if unix else server.tcp
    cpu = server.cpu()
    said = await _run(sys.executable, "-m", "bench.local.asking", address, path, str(connections), str(seconds))
    cpu = server.cpu() - cpu
    document: Json = decode(said)
    return Run(cpu / document["answers"] * 1e6, document["rate"], document["p50"])


async def _run(*command: str) -> str:
    done = await anyio.run_process(["taskset", "-c", CLIENT_CORE, *command], check=False)
    if done.returncode:
        msg = (
            f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout).decode(errors='replace')[-500:]}"
        )
        raise UnfairError(msg)
    return done.stdout.decode()


def _lua(text: str) -> str:
    """A Lua expression for a text with `@` in it."""
    parts = [f"[==[{each}]==]" for each in text.split("@")]
    return " .. n .. ".join(parts)

"""A day of an agent's life in minutes: a million changes, with all that may go wrong, and whether anything grows.

The agent is a process of its own; the control plane is simulated (`tests.rig.storm`), because a real one commits a tenth as fast.
Most changes come in pieces of some hundreds, as after a pause of the network, and each is applied as a change of its own. In
between there are flags and rollouts, keys that never were before, files that are rendered, readers of every face, and trouble:
lost messages, changes that must be refused, unreadable ones, secrets to be fetched, broken streams.
"""

import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import linear_regression, median

import aiohttp
import anyio
import psutil

from bench.result import Plan, Result
from shared.domain.codec import Json, decode, encode
from tests.rig.process import Process
from tests.rig.storm import APP, ENVIRONMENT, TOKEN, Storm
from tests.servers.server import free_port

CHANGES = 1_000_000
SHORT = 20_000
"""As the tests run it: all troubles come."""
GLANCE = 2_000
"""As the short form of all benchmarks runs it: that it runs."""
PIECE = 250
"""Changes that come at once."""
LOOKS = 90
"""How often the process is looked at."""
MAX_GROWTH = 0.03
"""By how much the memory of the last third may exceed that of the second one."""

_PATIENCE = 60.0
_LOOK_AGAIN = 0.002
_TROUBLE_EVERY = {"withhold": 3_000, "lose": 5_000, "diverge": 7_000, "hang_up": 10_000, "garble": 20_000}
_CONTEXT = {"targetingKey": "ada", "country": "SE", "groups": ["beta"]}


@dataclass
class Look:
    """What the process held at one moment."""

    changes: int
    rss: int
    descriptors: int


@dataclass
class Soaked:
    """What a run saw. The first third is for the process to grow up in."""

    seconds: float
    cpu: float
    counters: dict[str, int]
    looks: list[Look]
    reads: Counter[int] = field(default_factory=Counter)

    @property
    def growth(self) -> float:
        """The memory of the last third, in the mean of its looks, beyond that of the second one."""
        return median(each.rss for each in self._third(2)) / median(each.rss for each in self._third(1)) - 1

    @property
    def slope(self) -> float:
        """Bytes that a change adds, by a straight line through the last two thirds."""
        looks = [*self._third(1), *self._third(2)]
        return linear_regression([each.changes for each in looks], [each.rss for each in looks]).slope

    @property
    def descriptors(self) -> tuple[int, int]:
        """Files and sockets in the second and in the last third."""
        second, last = (int(median(each.descriptors for each in self._third(which))) for which in (1, 2))
        return second, last

    def _third(self, which: int) -> list[Look]:
        third = len(self.looks) // 3
        return self.looks[which * third : (which + 1) * third]


class GrewError(Exception):
    """Something grew that must not."""


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """A million changes, or a few; an agent that grows is an error, not a number."""
    soaked = await soak(directory, GLANCE if plan.short else CHANGES)
    if not plan.short:
        judge(soaked)
    second, last = soaked.descriptors
    counters = soaked.counters
    return [
        Result(
            "soak",
            f"{counters['applied']:,} changes applied",
            {
                "seconds": round(soaked.seconds),
                "changes/s": round(counters["applied"] / soaked.seconds),
                "agent CPU µs/change": round(soaked.cpu / counters["applied"] * 1e6, 1),
                "RSS MiB": round(soaked.looks[-1].rss / 2**20, 1),
                "RSS, last third against second %": round(soaked.growth * 100, 2),
                "RSS slope, bytes/change": round(soaked.slope, 3),
                "descriptors, second third": second,
                "descriptors, last third": last,
                **{name: counters[name] for name in ("resyncs", "gaps", "rejections", "reconnects", "malformed")},
                "reads": sum(soaked.reads.values()),
            },
        )
    ]


def judge(soaked: Soaked, max_growth: float = MAX_GROWTH) -> None:
    """Nothing may grow.

    Raises:
        GrewError: it did.
    """
    second, last = soaked.descriptors
    if soaked.growth > max_growth or second != last:
        msg = f"memory grew by {soaked.growth:.2%}, open files and sockets went from {second} to {last}"
        raise GrewError(msg)


async def soak(directory: Path, changes: int) -> Soaked:
    """Have an agent apply at least so many changes."""
    storm = Storm()
    for _ in range(500):
        storm.commit()
    async with storm.running(), _agent(directory, storm) as agent, aiohttp.ClientSession(agent.url) as session:
        return await _Soak(storm, agent, session, changes).run()


@asynccontextmanager
async def _agent(directory: Path, storm: Storm) -> AsyncIterator[Process]:
    port = free_port()
    files = ",".join(str(directory / name) for name in ("app.json", "app.env"))
    environ = {
        "TRIMTAB_APP": APP,
        "TRIMTAB_ENVIRONMENT": ENVIRONMENT,
        "TRIMTAB_CONTROL_PLANE_URL": storm.url,
        "TRIMTAB_AGENT_TOKEN": TOKEN,
        "TRIMTAB_AGENT_LISTEN": f"127.0.0.1:{port}",
        "TRIMTAB_AGENT_STATE_DIR": str(directory / "state"),
        "TRIMTAB_AGENT_FILES": files,
        "TRIMTAB_AGENT_LOG_LEVEL": "ERROR",
    }
    agent = Process("agent", [], f"http://127.0.0.1:{port}", environ, directory / "agent.log")
    agent.start()
    try:
        await agent.until_ok()
        yield agent
    finally:
        agent.close()


class _Soak:
    """One run."""

    def __init__(self, storm: Storm, agent: Process, session: aiohttp.ClientSession, changes: int) -> None:
        self._storm, self._agent, self._session, self._changes = storm, agent, session, changes
        self._reads, self._looks = Counter[int](), list[Look]()
        self._due = dict(_TROUBLE_EVERY)
        self._requests = cycle(_requests())

    async def run(self) -> Soaked:
        """Send, make trouble, read and look, until enough is applied."""
        began, cpu, applied = time.perf_counter(), self._agent.cpu(), 0
        counters: dict[str, int] = {}
        while applied < self._changes:
            target = applied + max(PIECE, self._changes // LOOKS)
            while applied < target:
                before = self._storm.revision
                await self._storm.send(PIECE)
                await self._trouble()
                await self._until(before)
                await self._read(4)
                applied += self._storm.revision - before
            await self._rest()
            counters = (await self._status())["counters"]
            applied = counters["applied"]
            self._looks.append(look := await self._look(applied))
            if len(self._looks) % (LOOKS // 9) == 0:
                print(f"  {applied:,} changes, {look.rss / 2**20:.1f} MiB, {look.descriptors} open", file=sys.stderr)
        return Soaked(time.perf_counter() - began, self._agent.cpu() - cpu, counters, self._looks, self._reads)

    async def _trouble(self) -> None:
        for name, at in self._due.items():
            if self._storm.revision >= at:
                self._due[name] = self._storm.revision + _TROUBLE_EVERY[name]
                done = getattr(self._storm, name)()
                if done is not None:
                    await done
        await self._storm.heartbeat()

    async def _until(self, revision: int) -> None:
        """Wait until the agent shows this revision, so that no more than two pieces are on their way."""
        with anyio.fail_after(_PATIENCE):
            beat = time.perf_counter()
            while await self._shown() < revision:
                await anyio.sleep(_LOOK_AGAIN)
                if time.perf_counter() > beat + 1:
                    await self._storm.heartbeat()
                    beat = time.perf_counter()

    async def _rest(self) -> None:
        """Let everything come to an end: the last change is shown, and the agent is in agreement."""
        await self._until(self._storm.revision)
        with anyio.fail_after(_PATIENCE):
            while (await self._status())["state"] != "live":
                await self._storm.heartbeat()
                await anyio.sleep(0.05)

    async def _shown(self) -> int:
        async with self._session.get("/v1/values/value.1") as answer:
            await answer.read()
            self._reads[answer.status] += 1
            return int(answer.headers["Trimtab-Revision"])

    async def _status(self) -> Json:
        async with self._session.get("/status") as answer:
            return decode(await answer.read())

    async def _read(self, times: int) -> None:
        for _ in range(times):
            await self._ask(*next(self._requests))

    async def _ask(self, method: str, path: str, body: Json, headers: dict[str, str]) -> None:
        data = None if body is None else encode(body)
        async with self._session.request(method, path, data=data, headers=headers) as answer:
            if path.startswith("/v1/watch"):
                await answer.content.readany()
            else:
                await answer.read()
            self._reads[answer.status] += 1

    async def _look(self, applied: int) -> Look:
        process = psutil.Process(self._agent.pid)
        descriptors = []
        for _ in range(4):  # one is open for a moment while the disk is synced
            descriptors.append(process.num_fds())
            await anyio.sleep(0.02)
        return Look(applied, self._agent.rss(), min(descriptors))


def _requests() -> list[tuple[str, str, Json, dict[str, str]]]:
    """A request of each kind, good ones and bad ones."""
    everything = {"context": _CONTEXT}
    close = {"Connection": "close"}
    return [
        ("GET", "/v1/values/value.1", None, {}),
        ("GET", "/v1/configs/flag.1?targetingKey=ada&country=SE", None, {}),
        ("GET", "/v1/configs", None, {"If-None-Match": '"none"'}),
        ("POST", "/v1/evaluate", everything, {}),
        ("POST", "/v1/evaluate", everything | {"keys": ["flag.1", "rollout.1", "none"]}, {}),
        ("GET", "/v1/values/none", None, close),
        ("GET", "/v1/configs/flag.2?age:=oops", None, {}),
        ("POST", "/v1/evaluate", {"context": 1}, {}),
        ("GET", "/v1/values/sensitive.password", None, {}),
        ("GET", "/v1/explain/rollout.1?targetingKey=ada", None, {}),
        ("POST", "/v1/outcomes", {"key": "rollout.1", "context": _CONTEXT, "success": 1}, {}),
        ("GET", "/v1/watch", None, close),
        ("GET", "/v1/configs?prefix=flag.", None, close),
        ("GET", "/metrics", None, {}),
        ("GET", "/nowhere", None, {}),
    ]

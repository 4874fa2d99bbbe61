"""`--only local`: start every server that can be had, let them answer by turns, round after round, and report."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp
import anyio

from bench.local import servers
from bench.local.cases import Cases, Line
from bench.local.clients import Run, UnfairError
from bench.local.contender import AbsentError, Contender, away_from_the_servers
from bench.local.goals import GOALS, Runs
from bench.local.material import FLAGS, KEY, Material, flags, values
from bench.local.report import Report
from bench.local.unleash import edge, unleash
from bench.result import Plan, Result
from tests.rig.storm import Storm

SECONDS = 1.0
ROUNDS = 5
SHORT_ROUNDS = 1


@dataclass
class Field:
    """All who take part. `absent` says of the others why they do not."""

    value: Contender
    flags: Contender
    unix: Contender
    others: dict[str, Contender] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    async def admit(
        self, stack: AsyncExitStack, name: str, contender: AbstractAsyncContextManager[Contender]
    ) -> Contender | None:
        """Let one more take part, if it can be had."""
        try:
            self.others[name] = await stack.enter_async_context(contender)
        except (AbsentError, TimeoutError, OSError, aiohttp.ClientError) as error:
            self.absent[name] = str(error) or type(error).__name__
            print(f"  without {name}: {self.absent[name]}", file=sys.stderr)
        return self.others.get(name)


async def measure(directory: Path, plan: Plan) -> list[Result]:
    """The table; with `--write` the report as well.

    Raises:
        AbsentError: the load generator is not installed.
    """
    for tool in ("wrk", "taskset"):
        servers.program(tool)
    with away_from_the_servers():
        async with _field(directory, short=plan.short) as field_:
            runs = await _rounds(Cases(field_.value, field_.flags, field_.unix, field_.others).all(), plan)
            versions = {each.name: each.version for each in field_.others.values()}
    report = Report(runs, versions, field_.absent)
    if plan.write is not None:
        report.write(plan.write)
    return [*_lines(runs), *_goals(runs)]


@asynccontextmanager
async def _field(directory: Path, *, short: bool) -> AsyncIterator[Field]:
    plain, flagged = Storm(), Storm()
    plain.hold(values())
    flagged.hold(flags(FLAGS))
    async with AsyncExitStack() as stack:
        for storm in (plain, flagged):
            await stack.enter_async_context(storm.running())
        group = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(group.cancel_scope.cancel)
        group.start_soon(plain.beat)
        group.start_soon(flagged.beat)
        field_ = Field(
            await stack.enter_async_context(servers.agent(directory / "one", plain)),
            await stack.enter_async_context(servers.agent(directory / "flags", flagged)),
            await stack.enter_async_context(servers.agent(directory / "unix", plain, unix=True)),
        )
        await _admit_others(field_, stack, directory, await _material(field_.value), short=short)
        yield field_


async def _admit_others(
    field_: Field, stack: AsyncExitStack, directory: Path, material: Material, *, short: bool
) -> None:
    files = {"value": material.value, "snapshot": material.snapshot}
    await field_.admit(stack, "nginx", servers.nginx(directory / "nginx", files))
    await field_.admit(stack, "redis", servers.redis(directory / "redis", files))
    if short:
        field_.absent["etcd, Unleash, Consul, flagd, Unleash Edge"] = "left out of the short form"
        return
    await field_.admit(stack, "etcd", servers.etcd(directory / "etcd", material))
    await field_.admit(stack, "consul", servers.consul(directory / "consul", material))
    await field_.admit(stack, "flagd", servers.flagd(directory / "flagd", FLAGS))
    upstream = await field_.admit(stack, "unleash", unleash(directory / "unleash"))
    if upstream is not None:
        await field_.admit(stack, "unleash-edge", edge(directory / "edge", upstream))


async def _material(agent: Contender) -> Material:
    """The bytes that ours answers."""
    async with (
        aiohttp.ClientSession(f"http://{agent.tcp}") as session,
        session.get(f"/v1/values/{KEY}") as one,
        session.get("/v1/configs") as all_,
    ):
        return Material(await one.read(), await all_.read())


async def _rounds(lines_by_case: dict[str, list[Line]], plan: Plan) -> Runs:
    """Everybody by turns, and that a few times; a line that cannot be measured is left out, loudly."""
    runs: dict[str, dict[str, list[Run]]] = {
        case: {each.name: [] for each in lines} for case, lines in lines_by_case.items()
    }
    rounds, seconds = SHORT_ROUNDS if plan.short else ROUNDS, SECONDS
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds}", file=sys.stderr)
        for case, lines in lines_by_case.items():
            for line in [each for each in lines if each.name in runs[case]]:
                try:
                    runs[case][line.name].append(await _fair(line, seconds))
                except UnfairError as error:
                    print(f"  {case}: {line.name} is not measured: {error}", file=sys.stderr)
                    del runs[case][line.name]
    return runs


async def _fair(line: Line, seconds: float) -> Run:
    """Ask, and once more if something came in between."""
    try:
        return await line.ask(seconds)
    except UnfairError:
        return await line.ask(seconds)


def _lines(runs: Runs) -> list[Result]:
    return [
        Result(
            case,
            name,
            {
                "CPU µs/request": _mid(measured, "cpu"),
                "requests/s": _mid(measured, "rate"),
                "p50 µs": _mid(measured, "p50"),
            },
        )
        for case, lines in runs.items()
        for name, measured in lines.items()
    ]


def _mid(runs: Sequence[Run], respect: str) -> float:
    number: float = median(getattr(each, respect) for each in runs)
    return round(number, 1 if number < 1_000 else None)  # noqa: PLR2004 - digits that mean something


def _goals(runs: Runs) -> list[Result]:
    found = ((goal, goal.measured(runs)) for goal in GOALS)
    return [
        Result(
            "goals",
            f"{goal.case}, {goal.ours}: {goal.text}",
            {"measured": round(ratio, 2), "reached": goal.reached(ratio)},
        )
        for goal, ratio in found
        if ratio is not None
    ]

"""Evaluation in process: the shapes of entries, what compiling costs, and the same flag in the engines of others."""

import gc
import os
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CalledProcessError
from time import process_time_ns
from typing import Any

import anyio
from anyio.to_thread import run_sync

from bench.result import Plan, Result
from bench.rivals import NOW
from shared.domain.codec import Json, canonical, decode
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.program import Program
from shared.domain.resolution import Effective
from shared.domain.scope import Level

LIBRARIES = (
    "growthbook==4.0.0",
    "launchdarkly-server-sdk==9.18.2",
    "UnleashClient==6.9.1",
    "openfeature-flagd-core==2.0.0",
)
"""The engines of others, as they are published."""

CALLS = 200_000
ROUNDS = 7
MANY = 10_000
_SHAPES = "evaluation in process, ns of CPU a call"
_COMPILED = f"compiling, {MANY:,} entries"
_RIVALS = "the same flag in other engines: country and group in lists → on for 30 % by bucket"

_ALICE = EvaluationContext("user-000123", ("all", "beta"), {"country": "SE", "plan": "pro"})
_NORDIC: Json = {"attribute": "country", "op": "in", "values": ["SE", "NO", "DK", "FI", "IS"]}
_BETA: Json = {"attribute": "groups", "op": "in", "values": ["beta", "staff"]}
_THIRTY: Json = [{"variant": "on", "weight": 30_000}, {"variant": "off", "weight": 70_000}]
_ROLLOUT: Json = {
    "schema": 1,
    "id": "r",
    "strategy": "percentage",
    "phase": "progressing",
    "step": 0,
    "kind": "value",
    "candidate": 2,
    "salt": "r",
    "weights": [[NOW - 2, 10_000], [NOW - 1, 30_000], [NOW + 1, 100_000]],
}


async def measure(_directory: Path, plan: Plan) -> list[Result]:
    """Ours alone, then beside the others."""
    shapes = await run_sync(_shapes, plan)
    compiled = await run_sync(_compiled)
    return [*shapes, *compiled, *await _beside_others(plan)]


def _entry(key: str, kind: Kind, value: Json, rollout: Json = None) -> Effective:
    text = b"" if rollout is None else canonical(rollout)
    return Effective(Level.ENVIRONMENT, Entry(key, kind, canonical(value), 1, 1, rollout=text))


def _flag(key: str, *rules: Json) -> Effective:
    return _entry(key, Kind.FLAG, {"variants": {"on": True, "off": False}, "default": "off", "rules": list(rules)})


def _shapes(plan: Plan) -> list[Result]:
    none = [{"when": {"attribute": f"a{index}", "op": "eq", "values": ["x"]}, "serve": "on"} for index in range(10)]
    cases = {
        "a constant": _entry("a constant", Kind.VALUE, 1),
        "a percentage rollout": _entry("a percentage rollout", Kind.VALUE, 1, _ROLLOUT),
        "the same with an audience": _entry("the same with an audience", Kind.VALUE, 1, _ROLLOUT | {"when": _NORDIC}),
        "a flag with one rule": _flag("a flag with one rule", {"when": _NORDIC, "serve": "on"}),
        "a flag with a split": _flag("a flag with a split", {"split": _THIRTY}),
        "two conditions and a split": _flag(
            "two conditions and a split", {"when": {"all": [_NORDIC, _BETA]}, "split": _THIRTY}
        ),
        "ten rules, none matches": _flag("ten rules, none matches", *none),
    }
    program = Program.of(cases)
    calls = plan.count(CALLS)
    return [Result(_SHAPES, key, {"ns": round(_best(program, key, calls))}) for key in cases]


def _best(program: Program, key: str, calls: int) -> float:
    best = float("inf")
    evaluate, repeat = program.evaluate, range(calls)
    for _ in range(ROUNDS):
        began = process_time_ns()
        for _ in repeat:
            evaluate(key, _ALICE, NOW)
        best = min(best, (process_time_ns() - began) / calls)
    return best


def _compiled() -> list[Result]:
    rule = {"when": {"all": [_NORDIC, _BETA]}, "split": _THIRTY}
    kinds: dict[str, Callable[[str], Effective]] = {
        "plain values": lambda key: _entry(key, Kind.VALUE, {"key": key}),
        "values under a rollout": lambda key: _entry(key, Kind.VALUE, {"key": key}, _ROLLOUT),
        "flags with two conditions and a split": lambda key: _flag(key, rule),
    }
    return [
        Result(_COMPILED, name, _cost({f"k{n}": made(f"k{n}") for n in range(MANY)})) for name, made in kinds.items()
    ]


def _cost(effective: Mapping[str, Effective]) -> dict[str, float]:
    began = process_time_ns()
    program = Program.of(effective)
    all_of_them = process_time_ns() - began
    began = process_time_ns()
    for _ in range(ROUNDS):
        program.after(effective, ["k7"])
    one = (process_time_ns() - began) / ROUNDS
    return {
        "ms for all": round(all_of_them / 1e6, 1),
        "µs after one changed": round(one / 1e3, 1),
        "bytes each": round(_held(effective) / len(effective)),
    }


def _held(effective: Mapping[str, Effective]) -> int:
    """Bytes that a program keeps, besides the entries."""
    tracemalloc.start()
    kept = [Program.of(effective)]
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept.clear()
    return held


async def _beside_others(plan: Plan) -> list[Result]:
    libraries = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "trimtab-bench" / "rivals"
    try:
        await _install(libraries)
    except CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        print(f"  the other engines cannot be installed, only ours is measured: {reason}", file=sys.stderr)
    seconds = str(plan.seconds(0.25))
    command = [sys.executable, "-m", "bench.rivals", str(libraries), seconds]
    found: dict[str, Any] = decode((await anyio.run_process(command, stderr=None)).stdout)
    for name, each in found.items():
        if "error" in each:
            print(f"  {name} is not measured: {each['error']}", file=sys.stderr)
    measured = {name: each for name, each in found.items() if "error" not in each}
    ours = measured["trimtab"]["ns"]
    return [
        Result(
            _RIVALS,
            name,
            {
                "ns": round(each["ns"]),
                "times ours": round(each["ns"] / ours, 1),
                "on of 1,000": each["on"],
                "moved": each["moved"],
            },
        )
        for name, each in measured.items()
    ]


async def _install(libraries: Path) -> None:
    """Put the libraries where only this benchmark finds them; once.

    Raises:
        CalledProcessError: the registry cannot be reached.
    """
    wanted, done = "\n".join(LIBRARIES), libraries / "installed.txt"
    if done.is_file() and done.read_text() == wanted:
        return
    await anyio.run_process(
        [sys.executable, "-m", "uv", "pip", "install", "-q", "--target", str(libraries), *LIBRARIES]
    )
    done.write_text(wanted)

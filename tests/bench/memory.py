"""What a rollout takes: bytes on the wire and in Redis, memory at an agent."""

import gc
import tracemalloc
from collections.abc import Callable, Mapping
from uuid import UUID

from control_plane.domain.gates.evidence import BUCKET_MS, MAX_BLOCKS
from shared.domain.codec import canonical
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.members import encode_members
from shared.domain.program import Program
from shared.domain.resolution import Effective
from shared.domain.scope import Level, Revisions
from shared.wire.evidence import ApplicationHealth, Evidence, ExposedTo, OutcomeCounts
from shared.wire.report import Report
from tests.bench.table import Table

ROLLOUT = str(UUID(int=7))
USERS = 100_000
RULES = 1_000
_COUNTER_BYTES = 40
"""Of one counter in a Redis hash, its name included; four of them are a block."""
_HEALTH_BYTES = 220
"""Of one instance in a Redis hash."""


def evidence(agents: int) -> Table:
    """What comes back from agents while one rollout runs."""
    table = Table(f"Evidence of one rollout, {agents:,} agents", ("what", "number", "bytes each", "MB in all"))
    plain = len(report(None).encode())
    health = ApplicationHealth("healthy", 1_800_000_000_000, "HTTP status 200", (ExposedTo(ROLLOUT, 1),))
    counts = tuple(
        OutcomeCounts(ROLLOUT, arm, 1_800_000_000_000 + bucket * BUCKET_MS, 1_000, 10)
        for bucket in range(10)
        for arm in ("candidate", "baseline")
    )
    full = len(report(Evidence("5f2c9d1e7a3b4c6d8e9f0a1b2c3d4e5f", 17, health, counts)).encode())
    table.add("report without evidence", agents, plain, agents * plain / 1e6)
    table.add("report with health and 50 s of outcomes", agents, full, agents * full / 1e6)
    table.add(
        "blocks of outcomes in Redis, at most", MAX_BLOCKS, 4 * _COUNTER_BYTES, MAX_BLOCKS * 4 * _COUNTER_BYTES / 1e6
    )
    table.add("health of instances in Redis", agents, _HEALTH_BYTES, agents * _HEALTH_BYTES / 1e6)
    return table


def report(said: Evidence | None) -> Report:
    """What an agent sends."""
    labels = {"zone": "eu-north-1a", "version": "2026.11.3"}
    return Report(
        "shop-7c9f-00017", "shop", "prod", "0.1.0", Revisions(10, 20, 1_234), "live", "amqp", labels, evidence=said
    )


def held() -> Table:
    """What an agent holds, as Python counts it."""
    table = Table("Memory at an agent", ("what", "bytes on the wire", "kB held"))
    users = [f"user-{number:06d}" for number in range(USERS)]
    members = encode_members(users)
    named = canonical({"attribute": "targetingKey", "op": "in", "values": users})
    when = {"attribute": "targetingKey", "members": members}
    targeting = _entry("targeting", when=when)
    table.add(f"a rollout for {USERS:,} users, by name (not done so)", len(named), _held(lambda: frozenset(users)))
    table.add(
        f"a rollout for {USERS:,} users, as digests", len(targeting.rollout), _held(lambda: _program({"t": targeting}))
    )
    entries = {f"k{number}": _entry(f"k{number}") for number in range(RULES)}
    wire = sum(len(each.rollout) for each in entries.values())
    table.add(f"{RULES:,} rollouts by percentage, compiled", wire, _held(lambda: _program(entries)))
    return table


def _program(entries: Mapping[str, Entry]) -> Program:
    program = Program.of({key: Effective(Level.ENVIRONMENT, each) for key, each in entries.items()})
    for key in entries:
        program.evaluate(key, EvaluationContext("user-000001"), 1_800_000_000_000)
    return program


def _entry(key: str, **more: object) -> Entry:
    exposure = {
        "schema": 1, "id": ROLLOUT, "strategy": "percentage", "phase": "progressing", "step": 0, "kind": "value",
        "candidate": 2, "salt": key, "unit": "targetingKey", "bucketing": "trimtab", "weights": [[0, 50_000]],
    }  # fmt: skip
    return Entry(key, Kind.VALUE, b"1", 1, 1, rollout=canonical(exposure | more))


def _held(make: Callable[[], object]) -> float:
    """Kilobytes that what is made holds once it is made."""
    make()  # what is loaded only once counts for nobody
    gc.collect()
    tracemalloc.start()
    kept = make()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return size / 1e3

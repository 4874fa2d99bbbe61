"""What a rollout sends: a change for each transition, and reports that come back, with the bytes that they really have."""

from dataclasses import replace
from datetime import UTC, datetime

from control_plane.services.fleet import REPORT_INTERVAL, REPORTS_PER_SECOND
from shared.domain.codec import canonical
from shared.domain.entry import Entry, Kind
from shared.domain.scope import Revisions, Scope
from shared.wire.messages import ChangeMessage, Put
from shared.wire.report import Report
from tests.bench.table import Table

PER_DELIVERY_US = {"RabbitMQ": 35.0, "SSE": 10.0}
"""CPU of the server for one delivery, as measured on this project's benchmark machine."""
SHOP = Scope("shop", "prod")


def message_bytes(candidate: object, steps: int) -> int:
    """A transition as it travels: the entry with its baseline, its candidate and the timeline up to the next gate."""
    exposure = {
        "schema": 1,
        "id": "0b0f6d5e-7a53-4c9e-9c0e-6b0a3f1c2d4e",
        "strategy": "percentage",
        "phase": "progressing",
        "step": 0,
        "kind": "value",
        "candidate": candidate,
        "salt": "Zk3v9qT1",
        "unit": "targetingKey",
        "bucketing": "trimtab",
        "weights": [[1_800_000_000_000 + 3_600_000 * step, 10_000 * (step + 1)] for step in range(steps)],
    }
    entry = Entry("checkout.flow", Kind.VALUE, canonical(candidate), 8, 1_234, rollout=canonical(exposure))
    at = datetime(2027, 1, 15, 8, tzinfo=UTC)
    return len(ChangeMessage(1_234, 1_230, SHOP, (SHOP,), at, 0, (Put(entry),)).encode())


def messages(agents: int) -> Table:
    """By how many gates the plan has: without any, agents take all steps by the clock, and nothing is sent for them."""
    table = Table(
        f"Messages of one percentage rollout in five steps, {agents:,} agents, a value of 100 bytes",
        ("gates", "changes", "bytes each", "deliveries", "MB in all", "RabbitMQ CPU (s)", "SSE CPU (s)"),
    )
    for gates in (0, 1, 4):
        changes = 2 + 2 * gates  # start and completion; at each gate, waiting and going on
        size = message_bytes("x" * 98, 5 - gates)
        sent = changes * agents
        cpu = [sent * each / 1e6 for each in PER_DELIVERY_US.values()]
        table.add(gates, changes, size, sent, sent * size / 1e6, *cpu)
    return table


def report_interval(agents: int, replicas: int) -> float:
    """Seconds between two reports of an agent, as a replica asks for it that hears its share of the fleet."""
    return max(REPORT_INTERVAL, agents / replicas / REPORTS_PER_SECOND)


def reports(agents: int) -> Table:
    """Reports never come faster than replicas want them, however large the fleet is."""
    table = Table(
        "Reports",
        ("agents", "replicas", "interval (s)", "reports a second, each replica", "bytes of one", "kB a second, all"),
    )
    size = len(_report().encode())
    for fleet, replicas in ((100, 1), (1_000, 1), (agents, 1), (agents, 3)):
        interval = report_interval(fleet, replicas)
        rate = fleet / interval
        table.add(fleet, replicas, interval, rate / replicas, size, rate * size / 1e3)
    return table


def _report() -> Report:
    return replace(
        Report("shop-7c9f-00017", "shop", "prod", "0.1.0", Revisions(10, 20, 1_234), "live", "amqp"),
        labels={"zone": "eu-north-1a", "version": "2026.11.3"},
    )

"""What the local API is meant to reach, as ratios of one run, and whether it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.local.clients import Run

OURS = "trimtab-agent"
NGINX, REDIS, ETCD = "nginx, static file", "Redis, GET", "etcd, range by HTTP"
UNLEASH = "Unleash, frontend API"
BY_GET, BY_POST, BY_OFREP = "trimtab-agent, GET", "trimtab-agent, POST", "trimtab-agent, OFREP"

VALUE, ONE_CONNECTION = "one value of 121 bytes, TCP, 32 connections", "the same on one connection"
SOCKETS, ONE_SOCKET = "one value, TCP and unix socket, in rounds of 32 connections", "the same on one connection each"
EVALUATION = "one evaluation, each context another"
BULK, BULK_AGAIN = "500 flags evaluated, each context another", "500 flags, the same context again and again"
SNAPSHOT = "the whole snapshot, 38 KB"
BY_TCP, BY_UNIX = "trimtab-agent, TCP", "trimtab-agent, unix socket"

Runs = Mapping[str, Mapping[str, Sequence[Run]]]
"""By case and line; the runs of one round have the same index."""


@dataclass(frozen=True, slots=True)
class Goal:
    """`ours` divided by `theirs` (or the other way round where `times` says so) in one respect."""

    case: str
    ours: str
    theirs: str
    limit: float
    respect: str = "cpu"
    times: bool = False

    @property
    def text(self) -> str:
        """The goal in words."""
        what = {"cpu": "CPU", "p50": "median answer"}[self.respect]
        if self.times:
            return f"{what} at least {self.limit:g} times less than {self.theirs}"
        return f"{what} at most {self.limit:g} of {self.theirs}'s"

    def measured(self, runs: Runs) -> float | None:
        """The median of the rounds' ratios; None where one of both was not measured."""
        lines = runs.get(self.case, {})
        if self.ours not in lines or self.theirs not in lines:
            return None
        pairs = zip(lines[self.ours], lines[self.theirs], strict=True)
        ratios = [getattr(ours, self.respect) / getattr(theirs, self.respect) for ours, theirs in pairs]
        ratio = float(median(ratios))
        return 1 / ratio if self.times else ratio

    def reached(self, measured: float) -> bool:
        """Whether that is enough."""
        return measured >= self.limit if self.times else measured <= self.limit


GOALS = (
    Goal(VALUE, OURS, NGINX, 0.65),
    Goal(VALUE, OURS, REDIS, 1.0),
    Goal(ONE_CONNECTION, OURS, REDIS, 1.1, "p50"),
    Goal(SOCKETS, BY_UNIX, BY_TCP, 0.75),
    Goal(EVALUATION, BY_GET, NGINX, 1.0),
    Goal(EVALUATION, BY_POST, NGINX, 1.0),
    Goal(EVALUATION, BY_OFREP, NGINX, 1.0),
    Goal(BULK, BY_POST, UNLEASH, 20, times=True),
    Goal(BULK, BY_OFREP, UNLEASH, 20, times=True),
    Goal(BULK_AGAIN, BY_GET, UNLEASH, 20, times=True),
    Goal(SNAPSHOT, OURS, NGINX, 1.0),
)

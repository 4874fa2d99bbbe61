"""The agents as they report themselves, and how far a change has come among them."""

import random
from collections import OrderedDict
from dataclasses import dataclass, replace

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal
from control_plane.domain.errors import ForbiddenError
from control_plane.ports.changes import Changes
from control_plane.ports.lossy import AgentPresence, Presence, ShownCredential
from shared.domain.scope import Lineage, Scope
from shared.runtime.clock import Clock
from shared.wire.report import ReadCounts, Report

REPORT_INTERVAL = 10.0
"""Seconds between two reports of an agent, as long as the fleet is small."""

REPORTS_PER_SECOND = 100.0
"""Reports that one replica invites at most; the interval grows with the fleet."""

SPREAD = 0.2
"""Share by which intervals vary, so that agents started together do not stay in step."""

_MISSED = 3
"""Reports that an agent may miss before it is forgotten."""

_GRACE = 5.0
"""Seconds that a report may take."""


@dataclass(frozen=True, slots=True)
class Convergence:
    """How far a change has come among the live agents that it concerns.

    `pending` have not applied it yet; `rejected` have not, and said that they will not.
    """

    revision: int
    scopes: tuple[Scope, ...]
    agents: int
    applied: int
    pending: list[AgentPresence]
    rejected: list[AgentPresence]

    @property
    def converged(self) -> bool:
        """Whether every live agent that it concerns has it."""
        return self.applied == self.agents


class Fleet:
    """Keeps what agents report for as long as they live."""

    def __init__(self, presence: Presence, changes: Changes, clock: Clock, rng: random.Random | None = None) -> None:
        self._presence, self._changes, self._clock = presence, changes, clock
        self._random = rng or random.Random()  # noqa: S311 - a spread, not a secret
        self._heard: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    async def record(self, report: Report, address: str, by: Principal) -> float:
        """Keep an agent's report; returns in how many seconds its next one is wanted.

        Raises:
            ForbiddenError: it comes from another instance.
            UnavailableError: there is nowhere to keep it now.
        """
        if by.instance not in {None, report.instance}:
            raise ForbiddenError(Permission.FLEET_REPORT, "This credential belongs to another instance.")
        interval = max(REPORT_INTERVAL, self._count(report) / REPORTS_PER_SECOND)
        ttl = interval * (1 + SPREAD) * _MISSED + _GRACE
        # What was counted is kept elsewhere; that it counts at all is part of what an agent is.
        kept = report if report.reads is None else replace(report, reads=ReadCounts())
        shown = ShownCredential(by.credential or by.id, by.instance is not None, by.expires_at)
        await self._presence.record(AgentPresence(kept, address, self._clock.now(), shown), ttl)
        return interval * self._random.uniform(1 - SPREAD, 1 + SPREAD)

    async def agents(self, app_id: str | None = None, environment: str | None = None) -> list[AgentPresence]:
        """The live agents, of one app or app/environment if given.

        Raises:
            UnavailableError: the place where reports are kept is away.
        """
        return await self._presence.list(app_id, environment)

    async def convergence(self, revision: int) -> Convergence:
        """How far a committed change has come.

        Raises:
            NotFoundError: no change has this revision.
            UnavailableError: the record of changes, or the place where reports are kept, is away.
        """
        scopes = (await self._changes.get_change(revision)).scopes
        concerned = [each for each in await self._reporting(scopes) if concerns(scopes, each.report)]
        behind = [each for each in concerned if not has_applied(revision, scopes, each.report)]
        rejected = [each for each in behind if rejects(revision, each.report)]
        pending = [each for each in behind if not rejects(revision, each.report)]
        return Convergence(revision, scopes, len(concerned), len(concerned) - len(behind), pending, rejected)

    async def _reporting(self, scopes: tuple[Scope, ...]) -> list[AgentPresence]:
        if Scope() in scopes:
            return await self._presence.list()
        return [each for app in sorted({scope.app_id or "" for scope in scopes}) for each in await self.agents(app)]

    def _count(self, report: Report) -> int:
        """How many agents this replica hears, this one included."""
        now = self._clock.monotonic()
        key = (report.app_id, report.environment, report.instance)
        self._heard[key] = now
        self._heard.move_to_end(key)
        interval = max(REPORT_INTERVAL, len(self._heard) / REPORTS_PER_SECOND)
        while next(iter(self._heard.values())) < now - interval * _MISSED:
            self._heard.popitem(last=False)
        return len(self._heard)


def concerns(scopes: tuple[Scope, ...], report: Report) -> bool:
    """Whether the agent sees anything of these scopes."""
    return any(scope in scopes for scope in Lineage.of(report.app_id, report.environment))


def has_applied(revision: int, scopes: tuple[Scope, ...], report: Report, key: str | None = None) -> bool:
    """Whether the agent has the change of this revision, which touched these scopes, or a later one, and understands it.

    An agent whose application does not get what the agent applied has nothing of it.

    With a key, it has to understand this config as it has become since, too: a step of a rollout is several changes.
    """
    lineage = Lineage.of(report.app_id, report.environment)
    has = all(mine >= revision for scope, mine in zip(lineage, report.revisions, strict=True) if scope in scopes)
    stands_in_the_way = any(each.refuses for each in report.remarks)
    return has and not stands_in_the_way and _misunderstood(revision, report, key) is None


def rejects(revision: int, report: Report, key: str | None = None) -> bool:
    """Whether it will not have this change."""
    return refusal(revision, report, key) is not None


def refusal(revision: int, report: Report, key: str | None = None) -> str | None:
    """Why it will not have this change, if so.

    It refused it, or a later one and so cannot get past this one either. Or it holds it without understanding it, and
    serves the baseline. Or it has it, and its application does not get it: a file set that was refused, a fallback.
    """
    if report.rejection is not None and report.rejection.revision >= revision:
        return report.rejection.reason
    for each in report.remarks:
        if each.refuses and each.revision >= revision:
            return f"{each.kind} {each.about}: {each.detail}"
    return _misunderstood(revision, report, key)


def _misunderstood(revision: int, report: Report, key: str | None) -> str | None:
    for each in report.unsupported:
        if each.revision == revision or (each.key == key and each.revision > revision):
            return f"{each.key}: {each.reason}"
    return None

"""Tell what a change would do, without doing it: the commit itself is rehearsed, the rest is computed around it."""

from collections.abc import Sequence
from dataclasses import replace

from control_plane.domain.change import Committed, Draft
from control_plane.domain.effects import Difference
from control_plane.domain.errors import MAX_TOLD, RulesMovedError, UnavailableError
from control_plane.domain.gate import obstacles
from control_plane.domain.preview import BlastRadius, Preview, Some, some
from control_plane.domain.secrecy import bare_secrets
from control_plane.ports.changes import Changes
from control_plane.services.checks import Checks, Examination
from control_plane.services.fleet import Fleet
from control_plane.services.publishing import Publishing, rehearsal
from control_plane.services.rules import Rules, Ruling
from shared.runtime.clock import Clock, SystemClock

_ATTEMPTS = 5
"""How often it is tried to see the rehearsal and what stands at one and the same revision."""


class Previews:
    """Previews drafts."""

    def __init__(
        self,
        changes: Changes,
        *,
        rules: Rules,
        checks: Checks,
        fleet: Fleet,
        publishing: Publishing,
        clock: Clock | None = None,
    ) -> None:
        self._changes, self._rules, self._checks = changes, rules, checks
        self._fleet, self._publishing = fleet, publishing
        self._clock = clock or SystemClock()

    async def of(self, draft: Draft) -> Preview:
        """What this draft would do now.

        Raises:
            TrimtabError: it could not be carried out whatever its values: a conflict, an unknown name, a wrong form.
        """
        self._publishing.require_form(draft)
        ruling, committed, found = await self._tried(draft)
        hits = [*found.hits, *committed.hits]
        differences = found.effects.differences
        required = ruling.required({each.scope for each in draft.operations})
        forced = draft.forced is not None
        standing = tuple(obstacles(draft, required, self._clock.now()))
        if not forced:
            standing += tuple(found.rollouts)
        refused = found.unfit or (not forced and any(each.refuses for each in hits))
        return Preview(
            committed=replace(committed, dry_run=True),
            effects=found.effects,
            dependants=found.dependants,
            unfit=Some(found.unfit_total, found.unfit),
            hits=some(hits, MAX_TOLD),
            warnings=(*bare_secrets(found.operations), *found.unforeseen),
            requirements=required,
            obstacles=standing,
            blast_radius=await self._blast_radius(differences),
            forced=forced,
            would_commit=not (refused or standing),
        )

    async def _tried(self, draft: Draft) -> tuple[Ruling, Committed, Examination]:
        """The rehearsal and what stands, at one and the same revision, unless everything moves all the time."""
        ruling = await self._rules.current()
        attempts = _ATTEMPTS
        while True:
            attempts -= 1
            try:
                committed = await self._changes.commit(rehearsal(draft, ruling))
            except RulesMovedError:
                if not attempts:
                    raise
                ruling = await self._rules.refresh()
                continue
            versions = {(each.scope, each.key): each.version for each in committed.applied}
            found = await self._checks.examine(draft.operations, ruling, versions)
            if found.revision == committed.revision - 1 or not attempts:
                return ruling, committed, found

    async def _blast_radius(self, differences: Sequence[Difference]) -> BlastRadius:
        pairs = sorted({(each.app_id, each.environment) for each in differences})
        apps = sorted({app_id for app_id, _ in pairs})
        return BlastRadius(some(apps), some(pairs), await self._agents(set(pairs), apps))

    async def _agents(self, pairs: set[tuple[str, str]], apps: Sequence[str]) -> Some[tuple[str, str, str]] | None:
        try:
            live = await self._fleet.agents(apps[0] if len(apps) == 1 else None) if apps else []
        except UnavailableError:
            return None
        reports = [each.report for each in live]
        concerned = [each for each in reports if (each.app_id, each.environment) in pairs]
        return some([(each.app_id, each.environment, each.instance) for each in concerned])

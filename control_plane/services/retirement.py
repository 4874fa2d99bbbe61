"""Applications and environments at their end: archived, unarchived, deleted.

Who still relies on something is asked before it is put away: the fleet. That question and the act are not one moment, so
an agent that starts in between is not seen; what it loses then it hears of like every other change.
"""

import logging

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import App, Deleted
from control_plane.domain.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from control_plane.metrics import Metrics
from control_plane.ports.lossy import Notices
from control_plane.ports.registry import Registry
from control_plane.services.feed import Feed
from control_plane.services.fleet import Fleet
from shared.domain.scope import Scope
from shared.wire.problem import Violation

NAMED_AGENTS = 10
"""Live agents that a refusal names at most."""

_log = logging.getLogger(__name__)


class Retirement:
    """Archives, unarchives and deletes. What takes away must be confirmed by name."""

    def __init__(self, registry: Registry, fleet: Fleet, feed: Feed, notices: Notices, metrics: Metrics) -> None:
        self._registry, self._fleet, self._feed = registry, fleet, feed
        self._notices, self._metrics = notices, metrics

    async def archive(self, scope: Scope, by: Attribution, *, force: bool) -> App:
        """Put an application or an environment away.

        Raises:
            NotFoundError: it is not registered.
            ConflictError: agents are live there.
            UnavailableError: nobody can say whether agents are live there.
        """
        if force:
            return await self._registry.archive(scope, by, forced=True)
        await self._require_registered(scope)
        await self._require_quiet(scope)
        return await self._registry.archive(scope, by)

    async def unarchive(self, scope: Scope, by: Attribution) -> App:
        """Bring back what is archived.

        Raises:
            NotFoundError: it is not registered.
        """
        return await self._registry.unarchive(scope, by)

    async def delete(self, scope: Scope, message: str, by: Attribution, *, force: bool) -> Deleted:
        """Delete an application with its environments, or one environment.

        Raises:
            NotFoundError: it is not registered.
            ConflictError: it is not archived, or agents are live there.
            UnavailableError: nobody can say whether agents are live there.
        """
        message = message or f"Delete {name_of(scope)}"
        if force:
            deleted = await self._registry.delete(scope, message, by, forced=True)
        else:
            await self._require_registered(scope)
            await self._require_quiet(scope)
            deleted = await self._registry.delete(scope, message, by)
        if deleted.revision is not None:
            await self._tell(deleted.revision)
        _log.info("deleted", extra={"scope": str(scope), "entries": deleted.entries, "revision": deleted.revision})
        return deleted

    async def _tell(self, revision: int) -> None:
        self._metrics.commits.inc()
        try:
            await self._feed.catch_up(revision)
        except UnavailableError as error:  # it is committed; whoever follows the database will find it
            _log.warning("the feed could not be told", extra={"revision": revision, "error": str(error)})
        await self._notices.ring(revision)

    async def _require_registered(self, scope: Scope) -> None:
        """An unknown name is told as such, not as one without agents."""
        app = await self._registry.get_app(scope.app_id or "")
        if scope.environment is not None and scope.environment not in app.all_environments:
            kind = "environment"
            raise NotFoundError(kind, name_of(scope))

    async def _require_quiet(self, scope: Scope) -> None:
        agents = await self._fleet.agents(scope.app_id, scope.environment)
        if not agents:
            return
        named = [f"{each.report.environment}/{each.report.instance}" for each in agents[:NAMED_AGENTS]]
        more = f" and {len(agents) - NAMED_AGENTS} more" if len(agents) > NAMED_AGENTS else ""
        detail = f"Agents are live in {name_of(scope)}: {', '.join(named)}{more}."
        raise ConflictError(
            detail,
            live_agents=len(agents),
            agents=named,
            hint="Stop them first, or ask with force=true: they keep what they have, or lose what is deleted.",
        )


def name_of(scope: Scope) -> str:
    """How people call it: `billing`, `billing/prod`."""
    return "/".join(part for part in (scope.app_id, scope.environment) if part)


def require_confirmation(given: str, scope: Scope, pointer: str) -> None:
    """Let nobody take away what they did not name.

    Raises:
        InvalidError: what was typed is not its name.
    """
    name = name_of(scope)
    if given != name:
        was = f"this is {given!r}" if given else "it is missing"
        raise InvalidError([Violation(pointer, f"type the name to confirm, {name!r}: {was}")])

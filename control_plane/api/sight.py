"""What of an answer its caller may see: lists without what is not his, values withheld as secrets are."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from control_plane.api.call import Call
from control_plane.domain.access.decision import may, may_somewhere
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.reach import Place
from control_plane.domain.change import ChangeRecord, Config
from control_plane.domain.effects import Difference, Seen
from control_plane.domain.errors import ConflictError, NotFoundError, TrimtabError, UnfitError
from control_plane.domain.preview import Preview, Some
from control_plane.domain.proposal import Proposal
from control_plane.domain.unfit import Unfit
from control_plane.ports.pages import Page
from control_plane.services.access import require_permission
from control_plane.services.standing import Standing
from shared.domain.codec import Json
from shared.domain.scope import Scope

P = Permission
MAX_TURNS = 20
"""Pages of a list that are looked through for one that has something for its caller."""
_WITHHELD = "it does not fit its schema; how is for those who may see values"
_SEEING = frozenset({Permission.CONFIGS_READ, Permission.VALUES_READ})


class Placed(Protocol):
    """A config, or an entry of one, as it is read."""

    @property
    def sensitive(self) -> bool:
        """Whether nobody is shown its value."""
        ...


T = TypeVar("T")
V = TypeVar("V", bound=Placed)


def sees_all(principal: Principal) -> bool:
    """Whether there is no config, and no value but secrets, that it may not see."""
    return principal.everywhere >= _SEEING


def require_known(call: Call[Any, Any], kind: str, permission: P, *places: Place, seeing: P = P.CONFIGS_READ) -> None:
    """Let the caller pass if it may do this to all these places, which belong to one thing that it named by its id.

    Raises:
        NotFoundError: it may not even see that there is such a thing.
        ForbiddenError: it may see it, but not do this.
    """
    principal = call.principal
    if permission in principal.everywhere or all(may(principal, permission, each) for each in places):
        return
    if not any(may(principal, seeing, each) for each in places):
        raise NotFoundError(kind, call.request.match_info.get("id") or call.request.match_info.get("change", ""))
    require_permission(principal, permission, *places)


async def sifted(
    principal: Principal,
    permission: P,
    place: Callable[[T], Iterable[Place]],
    read: Callable[[str | None], Awaitable[Page[T]]],
    cursor: str | None,
    *,
    asking: Callable[[Principal, P, Place], bool] = may,
) -> Page[T]:
    """A page of what the caller may see something of. It may be short, or empty, and yet another one follow."""
    if permission in principal.everywhere:
        return await read(cursor)
    for _ in range(MAX_TURNS):
        found = await read(cursor)
        kept = tuple(each for each in found.items if any(asking(principal, permission, at) for at in place(each)))
        cursor = found.next_cursor
        if kept or cursor is None:
            return Page(kept, cursor)
    return Page((), cursor)


def veiled(principal: Principal, thing: V, place: Place) -> V:
    """A config or an entry as its caller sees it: a value that is withheld looks like a secret."""
    if thing.sensitive or may(principal, P.VALUES_READ, place):
        return thing
    return replace(thing, sensitive=True)  # type: ignore[type-var]  # each is a dataclass


def place_of(config: Config) -> Place:
    """Where a config is."""
    return Place.of(config.scope, config.key)


def places_of(change: ChangeRecord | Proposal) -> list[Place]:
    """What a change touches; of one without operations the scopes."""
    touched = change.applied if isinstance(change, ChangeRecord) else change.operations
    return [Place.of(each.scope, each.key) for each in touched] or [Place.of(each) for each in change.scopes]


def seen_change(principal: Principal, record: ChangeRecord) -> ChangeRecord:
    """A change without the operations that its reader may not see."""
    if P.CHANGES_READ in principal.everywhere:
        return record
    kept = tuple(each for each in record.applied if may(principal, P.CHANGES_READ, Place.of(each.scope, each.key)))
    return replace(record, applied=kept, scopes=_scopes(record.scopes, kept))


def seen_proposal(principal: Principal, proposal: Proposal) -> Proposal:
    """The same for one that is not committed; its operations have values, too."""
    if principal.everywhere >= {P.CHANGES_READ, P.VALUES_READ}:
        return proposal
    places = [Place.of(each.scope, each.key) for each in proposal.operations]
    kept = [index for index, place in enumerate(places) if may(principal, P.CHANGES_READ, place)]
    hidden = [
        new for new, old in enumerate(kept) if old in proposal.secrets or not may(principal, P.VALUES_READ, places[old])
    ]
    operations = tuple(proposal.operations[each] for each in kept)
    return replace(proposal, operations=operations, secrets=frozenset(hidden))


def seen_standing(principal: Principal, standing: Standing) -> Standing:
    """How a stored change stands, as its reader may see it."""
    return replace(standing, proposal=seen_proposal(principal, standing.proposal))


def _scopes(scopes: Iterable[Scope], kept: Iterable[Any]) -> tuple[Scope, ...]:
    left = {each.scope for each in kept}
    return tuple(each for each in scopes if each in left)


def seen_preview(principal: Principal, preview: Preview) -> Preview:
    """A preview without the places and the values that its reader may not see."""
    if sees_all(principal):
        return preview
    differences = tuple(
        _difference(principal, each)
        for each in preview.effects.differences
        if may(principal, P.CONFIGS_READ, Place(each.app_id, each.environment, each.key))
    )
    silent = any(
        not may(principal, P.VALUES_READ, Place(each.app_id, each.environment, each.key))
        for each in preview.effects.differences
    )
    idle = () if silent or not preview.effects.differences else preview.effects.idle
    radius = preview.blast_radius
    return replace(
        preview,
        effects=replace(preview.effects, differences=differences, idle=idle),
        dependants=_some(
            preview.dependants, lambda each: _may_read(principal, each.app_id, each.environment, each.key)
        ),
        unfit=Some(preview.unfit.total, tuple(_unfit(principal, each) for each in preview.unfit.items)),
        blast_radius=replace(
            radius,
            applications=_some(radius.applications, lambda app: may_somewhere(principal, P.APPS_READ, Place(app))),
            environments=_some(radius.environments, lambda at: may_somewhere(principal, P.APPS_READ, Place(*at))),
            agents=None
            if radius.agents is None
            else _some(radius.agents, lambda at: may(principal, P.FLEET_READ, Place(*at[:2]))),
        ),
    )


def _some(found: Some[T], keep: Callable[[T], bool]) -> Some[T]:
    kept = tuple(each for each in found.items if keep(each))
    return Some(found.total - (len(found.items) - len(kept)), kept)


def _may_read(principal: Principal, app_id: str | None, environment: str | None, key: str) -> bool:
    return may(principal, P.CONFIGS_READ, Place(app_id, environment, key))


def _difference(principal: Principal, each: Difference) -> Difference:
    if may(principal, P.VALUES_READ, Place(each.app_id, each.environment, each.key)):
        return each
    return each._replace(before=_hidden(each.before), after=_hidden(each.after))


def _hidden(seen: Seen | None) -> Seen | None:
    if seen is None:
        return None
    return seen._replace(entry=replace(seen.entry, sensitive=True), below=_hidden(seen.below))


def _unfit(principal: Principal, each: Unfit) -> Unfit:
    if may(principal, P.VALUES_READ, Place(each.app_id, each.environment, each.key)):
        return each
    return replace(each, detail=_WITHHELD, pointer="")


def discreet(principal: Principal, error: TrimtabError) -> TrimtabError:
    """The error without values that its reader may not see."""
    if P.VALUES_READ in principal.everywhere:
        return error
    if isinstance(error, ConflictError) and "conflicts" in error.facts:
        told = [_without_values(principal, each) for each in error.facts["conflicts"]]
        error.facts = {**error.facts, "conflicts": told}
    if isinstance(error, ConflictError) and isinstance(error.facts.get("current"), dict):
        error.facts = {**error.facts, "current": _bare(error.facts["current"])}
    if isinstance(error, UnfitError):
        return UnfitError([_unfit(principal, each) for each in error.unfit], error.total)
    return error


def _without_values(principal: Principal, conflict: Mapping[str, Json]) -> Json:
    scope, key = conflict.get("scope"), conflict.get("key")
    if isinstance(scope, str) and may(principal, P.VALUES_READ, Place.of(Scope.parse(scope), key)):
        return conflict
    return {name: _bare(each) if isinstance(each, dict) else each for name, each in conflict.items()}


def _bare(side: Mapping[str, Json]) -> Json:
    return {name: each for name, each in side.items() if name != "value"}

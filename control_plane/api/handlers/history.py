"""Looking back: single versions and their differences, what was effective once, and comparisons."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import anyio.to_thread
from aiohttp import web

from control_plane.api.bodies.fields import MAX_REVISION
from control_plane.api.bodies.history import (
    CompareQuery,
    ComparisonView,
    DifferenceQuery,
    DifferenceView,
    EffectiveQuery,
    PairView,
    PastConfig,
    PastConfigs,
    read_side,
    version_view,
)
from control_plane.api.call import Call, reply
from control_plane.api.paging import read_cursor, write_cursor
from control_plane.api.services import Services
from control_plane.api.sight import place_of, sees_all, veiled
from control_plane.api.sight_of_configs import require_config
from control_plane.domain.access.decision import may
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.reach import Place
from control_plane.domain.errors import InvalidError
from control_plane.domain.history import PastEntry, When
from control_plane.services.access import require_somewhere
from control_plane.services.comparing import Pair, Side
from shared.wire.problem import Violation


async def get_config_version(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one version of a config."""
    config = await require_config(services, call, Permission.CONFIGS_READ)
    version = await services.hindsight.history.version(config.id, call.version)
    return reply(version_view(veiled(call.principal, version, place_of(config))))


async def get_config_difference(services: Services, call: Call[None, DifferenceQuery]) -> web.StreamResponse:
    """Show how one version of a config differs from another, as an RFC 6902 patch and as readable lines."""
    query, history = call.query, services.hindsight.history
    config = await require_config(services, call, Permission.CONFIGS_READ)
    to = config.version if query.to is None else query.to
    from_ = max(to - 1, 0) if query.from_ is None else query.from_
    found = [await history.version(config.id, each) if each else None for each in (from_, to)]
    before, after = (each and veiled(call.principal, each, place_of(config)) for each in found)
    return reply(await anyio.to_thread.run_sync(partial(DifferenceView.of, config.id, before, after)))


async def get_effective(services: Services, call: Call[None, EffectiveQuery]) -> web.StreamResponse:
    """Show what was effective in an app/environment at a revision or an instant, each key with its origin.

    Pages that follow stay at the moment of the first. A page may be short and yet have a `next_cursor`.
    """
    query, looking_back = call.query, services.hindsight.looking_back
    (revision,), after = _position(query.cursor, 1)
    if revision is None:
        revision = await looking_back.revision(When(query.revision, query.at, query.snapshot), "?")
    limit = call.page_size(query.limit)
    past = await looking_back.page(
        call.app_id, call.environment, revision, prefix=query.prefix, after=after, limit=limit
    )
    items = tuple(map(PastConfig.of, _seen(call.principal, call.app_id, call.environment, past.entries)))
    following = _cursor([revision], past.following)
    return reply(PastConfigs(call.app_id, call.environment, revision, items, following))


async def compare(services: Services, call: Call[None, CompareQuery]) -> web.StreamResponse:
    """Compare what two environments see, or two scopes hold, now or at other moments: by default what differs.

    Both sides of a key come with their origin. Pages that follow stay at the two revisions of the first; a page may be
    short and yet have a `next_cursor`.
    """
    query, comparing = call.query, services.hindsight.comparing
    sides = (read_side(query.left), read_side(query.right))
    for each in sides:
        require_somewhere(call.principal, Permission.CONFIGS_READ, Place.of(each.scope))
    (left, right), after = _position(query.cursor, 2)
    if left is None or right is None:
        left, right = await comparing.revision(sides[0], "left"), await comparing.revision(sides[1], "right")
    pairs, following = await comparing.page(
        sides,
        (left, right),
        everything=query.all,
        prefix=query.prefix,
        after=after,
        limit=call.page_size(query.limit),
    )
    seen = [each for each in (_seen_pair(call.principal, sides, each) for each in pairs) if each is not None]
    items = await anyio.to_thread.run_sync(lambda: tuple(map(PairView.of, seen)))
    return reply(ComparisonView(left, right, items, _cursor([left, right], following)))


def _cursor(revisions: Sequence[int], after: str | None) -> str | None:
    return None if after is None else write_cursor((*map(str, revisions), after))


def _position(cursor: str | None, revisions: int) -> tuple[list[int | None], str]:
    """The revisions that a cursor stays at, and the key after which it goes on."""
    place = read_cursor(cursor)
    if not place:
        return [None] * revisions, ""
    *numbers, after = place
    if len(numbers) != revisions or not all(map(_is_revision, numbers)):
        raise InvalidError([Violation("?cursor", "not a cursor of this list")])
    return [int(each) for each in numbers], after


def _is_revision(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < len(str(MAX_REVISION))


def _seen(principal: Principal, app_id: str, environment: str, entries: Iterable[PastEntry]) -> Iterator[PastEntry]:
    """What an app/environment saw, as far as the caller may see what it sees."""
    for each in entries:
        place = Place(app_id, environment, each.key)
        if may(principal, Permission.CONFIGS_READ, place):
            yield veiled(principal, each, place)


def _seen_pair(principal: Principal, sides: tuple[Side, Side], pair: Pair) -> Pair | None:
    if sees_all(principal):
        return pair
    left, right = (Place.of(each.scope, pair.key) for each in sides)
    if not all(may(principal, Permission.CONFIGS_READ, each) for each in (left, right)):
        return None
    one = None if pair.left is None else veiled(principal, pair.left, left)
    return replace(pair, left=one, right=None if pair.right is None else veiled(principal, pair.right, right))

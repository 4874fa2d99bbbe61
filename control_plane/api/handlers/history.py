"""Looking back: single versions and their differences, what was effective once, and comparisons."""

from collections.abc import Sequence
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
from control_plane.domain.errors import InvalidError
from control_plane.domain.history import When
from shared.wire.problem import Violation

_KIND = "config"


async def get_config_version(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one version of a config."""
    version = await services.hindsight.history.version(call.id(_KIND), call.version)
    return reply(version_view(version))


async def get_config_difference(services: Services, call: Call[None, DifferenceQuery]) -> web.StreamResponse:
    """Show how one version of a config differs from another, as an RFC 6902 patch and as readable lines."""
    config_id, query, history = call.id(_KIND), call.query, services.hindsight.history
    to = (await services.configs.get(config_id)).version if query.to is None else query.to
    from_ = max(to - 1, 0) if query.from_ is None else query.from_
    before = await history.version(config_id, from_) if from_ else None
    after = await history.version(config_id, to) if to else None
    return reply(await anyio.to_thread.run_sync(partial(DifferenceView.of, config_id, before, after)))


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
    items = tuple(map(PastConfig.of, past.entries))
    following = _cursor([revision], past.following)
    return reply(PastConfigs(call.app_id, call.environment, revision, items, following))


async def compare(services: Services, call: Call[None, CompareQuery]) -> web.StreamResponse:
    """Compare what two environments see, or two scopes hold, now or at other moments: by default what differs.

    Both sides of a key come with their origin. Pages that follow stay at the two revisions of the first; a page may be
    short and yet have a `next_cursor`.
    """
    query, comparing = call.query, services.hindsight.comparing
    sides = (read_side(query.left), read_side(query.right))
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
    items = await anyio.to_thread.run_sync(lambda: tuple(map(PairView.of, pairs)))
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

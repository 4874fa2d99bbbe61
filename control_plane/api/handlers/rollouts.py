"""Rollouts: made, previewed, looked at, and what people do with them."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from aiohttp import web

from control_plane.api.bodies.pages import PageView
from control_plane.api.bodies.rollout_preview import RolloutPreviewView
from control_plane.api.bodies.rollout_views import RolloutEventView, RolloutSummary, RolloutView
from control_plane.api.bodies.rollouts import (
    Approving,
    EventQuery,
    NewRollout,
    Promoting,
    RolloutAction,
    RolloutOverrides,
    RolloutQuery,
    Starting,
)
from control_plane.api.call import Call, reply
from control_plane.api.preconditions import etag, given_version
from control_plane.api.rollout_asking import about_the_request, asked, completed, completed_clone, scope_of
from control_plane.api.services import Services
from control_plane.api.sight import require_known, seen_preview, sifted
from control_plane.domain.access.decision import may
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.attribution import Attribution
from control_plane.domain.rollouts.rollout import Rollout, rollout_of
from control_plane.domain.rollouts.spec import NewRollout as Asked
from control_plane.domain.transition import StoredRollout
from control_plane.ports.pages import Page
from control_plane.ports.rollouts import RolloutFilter
from control_plane.services.rollouts.previewing import Wishes
from shared.domain.codec import Json
from shared.runtime.clock import unix_ms

_KIND = "rollout"
_MEASURED = "measured"


async def create_rollout(services: Services, call: Call[NewRollout, None]) -> web.StreamResponse:
    """Make a rollout: it waits to be started, or is started at once.

    It is held against everything that its start will be held against, but for approvals and windows. With `start`, it
    is made and started as one, or nothing of it happens. With `dry_run`, the answer is its preview.
    """
    body, whole = await completed(services, call)
    if body.dry_run:
        return await _preview(services, call, body, whole)
    with about_the_request(body):
        wanted = await asked(services, body, whole)
        if not body.start:
            made = await services.acting.create(wanted, _writing(call, wanted, body), **_overriding(body))
        else:
            made = await _start_at_once(services, call, body, wanted)
    return await _show(services, call, made.id, 201)


async def preview_rollout(services: Services, call: Call[NewRollout, None]) -> web.StreamResponse:
    """Tell what a rollout would do, without doing it.

    Its plan with the moments of each weight, if it were started now; which of the given `contexts`, and which live
    agents, would get the candidate from where on; whom it reaches, what schemas, guards and policies have against it,
    and whether another rollout is exposed on the same config.
    """
    body, whole = await completed(services, call)
    return await _preview(services, call, body, whole)


async def list_rollouts(services: Services, call: Call[None, RolloutQuery]) -> web.StreamResponse:
    """List rollouts, newest first."""
    query = call.query
    where = RolloutFilter(
        app_id=query.app_id,
        scope=scope_of(query.app_id, query.environment),
        key=query.key,
        phases=query.phase,
        strategy=query.strategy,
    )

    async def read(cursor: str | None) -> Page[StoredRollout]:
        return await services.rollouts.list(where, limit=call.page_size(query.limit), cursor=cursor)

    page = await sifted(call.principal, Permission.ROLLOUTS_READ, lambda each: [_at(each)], read, query.cursor)
    now_ms = unix_ms(services.clock.now())
    shown = tuple(RolloutSummary.of(each, rollout_of(each), now_ms) for each in page.items)
    return reply(PageView(shown, page.next_cursor))


async def get_rollout(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show a rollout: its plan, where it is, what it waits for and why, and its numbers now."""
    await _admitted(services, call, Permission.ROLLOUTS_READ)
    return await _show(services, call, call.id(_KIND))


async def list_rollout_events(services: Services, call: Call[None, EventQuery]) -> web.StreamResponse:
    """List what happened to a rollout, newest first: its transitions, approvals, and what its gates measured.

    Without measurements, a page may be short although another one follows.
    """
    await _admitted(services, call, Permission.ROLLOUTS_READ)
    found, query = await services.rollouts.get(call.id(_KIND)), call.query
    page = await services.rollouts.events(found.id, limit=call.page_size(query.limit), cursor=query.cursor)
    told = (each for each in page.items if query.measurements or each.action != _MEASURED)
    return reply(PageView(tuple(map(RolloutEventView.of, told)), page.next_cursor))


async def clone_rollout(services: Services, call: Call[RolloutOverrides, None]) -> web.StreamResponse:
    """Make a new rollout like another one, with what is given in the place of what that one has.

    It is pending, with a salt of its own unless the other one's was chosen. The candidate of a secret config goes to no
    other config.
    """
    original = await services.acting.get(call.id(_KIND))
    require_known(call, _KIND, Permission.ROLLOUTS_READ, _at(original), seeing=Permission.ROLLOUTS_READ)
    body, whole = completed_clone(call, original)
    if call.body.exposed is None:  # what is carried over may come to stand where the caller sees it
        call.require(Permission.VALUES_READ, _at(original))
    with about_the_request(body):
        wanted = await asked(services, body, whole)
        made = await services.acting.create(wanted, _writing(call, wanted))
    return await _show(services, call, made.id, 201)


async def start_rollout(services: Services, call: Call[Starting, None]) -> web.StreamResponse:
    """Start a rollout: its first step is exposed from now on.

    A second one on the same config is refused, and the problem names the first. With `break_glass` it starts although
    approvals are missing or no window is open; that needs a permission of its own, and opens a review.
    """
    body = call.body
    more: dict[str, Any] = {"message": body.reason} if body.reason else {}
    by = await _admitted(services, call, Permission.ROLLOUTS_OPERATE)
    if body.break_glass is not None:
        await _admitted(services, call, Permission.CHANGES_BREAK_GLASS)
    with about_the_request():
        await services.acting.start(call.id(_KIND), by, _version(call), **more, **_overriding(body))
    return await _show(services, call, call.id(_KIND))


async def pause_rollout(services: Services, call: Call[RolloutAction, None]) -> web.StreamResponse:
    """Freeze a rollout: nobody comes in or goes out by the clock until it is resumed."""
    by = await _admitted(services, call, Permission.ROLLOUTS_OPERATE)
    await services.acting.pause(call.id(_KIND), by, call.body.reason, _version(call))
    return await _show(services, call, call.id(_KIND))


async def resume_rollout(services: Services, call: Call[RolloutAction, None]) -> web.StreamResponse:
    """Let a paused rollout go on; what was left is as much later as the pause was long, and its gates begin anew."""
    by = await _admitted(services, call, Permission.ROLLOUTS_OPERATE)
    await services.acting.resume(call.id(_KIND), by, call.body.reason, _version(call))
    return await _show(services, call, call.id(_KIND))


async def promote_rollout(services: Services, call: Call[Promoting, None]) -> web.StreamResponse:
    """Take the next step now, whatever its gates and times say; after the last one, and with `full`, complete.

    Then the candidate is the config's value.
    """
    body = call.body
    by = await _admitted(services, call, Permission.ROLLOUTS_OPERATE)
    await services.acting.promote(call.id(_KIND), by, body.reason, _version(call), full=body.full)
    return await _show(services, call, call.id(_KIND))


async def abort_rollout(services: Services, call: Call[RolloutAction, None]) -> web.StreamResponse:
    """Withdraw a rollout: everybody gets what was there before, at once.

    Whoever may make, drive or approve rollouts may do this; no policy stands against it.
    """
    by = await _admitted(services, call, Permission.ROLLOUTS_ABORT)
    await services.acting.abort(call.id(_KIND), by, call.body.reason, _version(call))
    return await _show(services, call, call.id(_KIND))


async def approve_rollout(services: Services, call: Call[Approving, None]) -> web.StreamResponse:
    """Approve a rollout: all of it before it starts, as policies may want; later its present step, for its gates.

    Nobody approves what they wrote.
    """
    by = await _admitted(services, call, Permission.ROLLOUTS_APPROVE)
    await services.acting.approve(call.id(_KIND), by, _version(call))
    return await _show(services, call, call.id(_KIND))


async def _preview(
    services: Services, call: Call[NewRollout, None], body: NewRollout, whole: dict[str, Json]
) -> web.Response:
    breaking = None if body.break_glass is None else body.break_glass.broken
    forced = None if body.force is None else body.force.forced
    wishes = Wishes([each.value for each in body.contexts], forced, breaking)
    with about_the_request(body):
        wanted = await asked(services, body, whole)
        preview = await services.previewing.of(wanted, _writing(call, wanted, body), wishes)
    preview = replace(preview, change=seen_preview(call.principal, preview.change))
    return reply(RolloutPreviewView.of(preview, whole.get("contexts", [])))


async def _start_at_once(services: Services, call: Call[NewRollout, None], body: NewRollout, wanted: Asked) -> Rollout:
    """Make and start it in one change."""
    _writing(call, wanted, body)
    call.require(Permission.ROLLOUTS_OPERATE, _at(wanted))
    by = call.acting(Permission.ROLLOUTS_OPERATE, _at(wanted))
    made = services.acting.planned(wanted, by)
    draft = await services.acting.starting(made, by, **_overriding(body))
    await services.publishing.commit(draft)
    return made


async def _admitted(services: Services, call: Call[Any, Any], permission: Permission) -> Attribution:
    """In which role the caller does this to the rollout in the path.

    Raises:
        NotFoundError: there is none, or none that the caller may see.
        ForbiddenError: the caller may see it, but not do this.
    """
    place = _at(await services.rollouts.get(call.id(_KIND)))
    require_known(call, _KIND, permission, place, seeing=Permission.ROLLOUTS_READ)
    return call.acting(permission, place)


def _writing(call: Call[Any, Any], wanted: Asked, body: NewRollout | None = None) -> Attribution:
    """In which role the caller makes a rollout.

    Raises:
        ForbiddenError: it may not, there.
    """
    call.require(Permission.ROLLOUTS_WRITE, _at(wanted))
    if body is not None and body.break_glass is not None:
        call.require(Permission.CHANGES_BREAK_GLASS, _at(wanted))
    return call.acting(Permission.ROLLOUTS_WRITE, _at(wanted))


def _at(rollout: StoredRollout | Rollout | Asked) -> Place:
    return Place.of(rollout.scope, rollout.key)


def _overriding(body: NewRollout | Starting) -> dict[str, Any]:
    """What of the request lets a start pass although something stands against it."""
    forced = {} if body.force is None else {"forced": body.force.forced}
    return forced | ({} if body.break_glass is None else {"break_glass": body.break_glass.broken})


def _version(call: Call[Any, None]) -> int | None:
    return given_version(call.request, call.body.version)


async def _show(services: Services, call: Call[Any, Any], rollout_id: UUID, status: int = 200) -> web.Response:
    standing = await services.showing.of(rollout_id)
    if not may(call.principal, Permission.VALUES_READ, _at(standing.stored)):
        standing = replace(standing, hidden=True)
    headers = {"ETag": etag(standing.stored.version), "Location": f"/api/v1/rollouts/{rollout_id}"}
    return reply(RolloutView.of(standing), status, headers)

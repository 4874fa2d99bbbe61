"""Configs one by one, and the effective ones of an app/environment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from aiohttp import web

from control_plane.api.bodies.configs import (
    ConfigQuery,
    ConfigReceipt,
    ConfigUpdate,
    ConfigVersionView,
    ConfigView,
    DeleteQuery,
    EffectiveConfigs,
    Fetch,
    NewConfig,
)
from control_plane.api.bodies.intent import Force
from control_plane.api.bodies.pages import PageQuery, PageView, labels_asked
from control_plane.api.bodies.preview import PreviewView
from control_plane.api.call import Call, reply
from control_plane.api.carry_out import replayed
from control_plane.api.preconditions import etag, require_match, unchanged
from control_plane.api.services import Services
from control_plane.api.sight import place_of, seen_preview, sifted, veiled
from control_plane.api.sight_of_configs import require_config, require_sight_of_values, seen_effective
from control_plane.api.staleness import staleness
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.change import Committed, Config, Draft, Op, Operation
from control_plane.domain.errors import (
    ConflictError,
    GuardedError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnfitError,
)
from control_plane.domain.history import When
from control_plane.ports.configs import ConfigFilter
from control_plane.ports.pages import Page
from control_plane.services.access import require_somewhere
from shared.domain.codec import Json
from shared.domain.context import ANYBODY
from shared.domain.entry import WITH_VALUE, Kind
from shared.domain.program import Program
from shared.runtime.clock import unix_ms
from shared.wire.problem import Violation

_KIND = "config"
_ONLY_OPERATION = "/operations/0"


async def create_config(services: Services, call: Call[NewConfig, None]) -> web.StreamResponse:
    """Create a config in a scope.

    A key that stands there already is a conflict, whose problem names the config's `id` and `version`. To hide a key
    instead of giving it a value, post a change with the operation `mask`.
    """
    body = call.body
    operation = Operation(
        Op.PUT,
        body.scope,
        body.key,
        body.content,
        body.sensitive,
        body.description,
        0,
        body.owner,
        body.labels,
        kind=body.kind,
    )
    call.require(Permission.CONFIGS_WRITE, Place.of(body.scope, body.key))
    committed, preview = await _carry_out(services, call, operation, body)
    receipt = ConfigReceipt.of(committed, preview)
    if receipt.dry_run:
        return reply(receipt)
    headers = {"Location": f"/api/v1/configs/{receipt.id}", "ETag": etag(receipt.version)}
    return reply(receipt, 201, headers | replayed(committed))


async def list_configs(services: Services, call: Call[None, ConfigQuery]) -> web.StreamResponse:
    """List configs by application, environment and key."""
    query = call.query
    where = ConfigFilter(
        app_id=query.app_id,
        environment=query.environment,
        scope=query.scope,
        kind=query.kind,
        prefix=query.prefix,
        text=query.text,
        include_deleted=query.include_deleted,
        owner=query.owner,
        labels=labels_asked(query.label),
        include_archived=query.include_archived,
    )
    if query.text is not None:  # which looks into values, too
        require_sight_of_values(call)
    read = partial(_list, services, where, call.page_size(query.limit))
    page = await sifted(call.principal, Permission.CONFIGS_READ, lambda each: [place_of(each)], read, query.cursor)
    now_ms = unix_ms(services.clock.now())
    seen = (veiled(call.principal, each, place_of(each)) for each in page.items)
    return reply(PageView(tuple(ConfigView.of(each, now_ms) for each in seen), page.next_cursor))


async def get_config(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one config."""
    config = await _live(services, call, Permission.CONFIGS_READ)
    config = veiled(call.principal, config, place_of(config))
    headers = {"ETag": etag(config.version)}
    if unchanged(call.request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    return reply(ConfigView.of(config, unix_ms(services.clock.now())), headers=headers)


async def update_config(services: Services, call: Call[ConfigUpdate, None]) -> web.StreamResponse:
    """Give a config another value, flag or segment, or change only what is said about it.

    `If-Match` says which version the change is based on; if there is another by now, the problem names it. Without
    `value`, `flag` or `segment` the config keeps what it has, a secret too. While a rollout of the config is in
    exposure it is refused, unless it is forced, which ends the rollout.
    """
    config, body = await _live(services, call, Permission.CONFIGS_WRITE), call.body
    version = require_match(call.request, config.version)
    value, kind = body.content, body.kind
    if not value:
        value, kind, version = await _value_kept(services, config, body), Kind(config.kind), config.version
    operation = Operation(
        Op.PUT,
        config.scope,
        config.key,
        value,
        body.sensitive,
        body.description,
        version,
        body.owner,
        body.labels,
        kind=kind,
    )
    committed, preview = await _carry_out(services, call, operation, body)
    receipt = ConfigReceipt.of(committed, preview)
    return reply(receipt, headers={"ETag": etag(config.version if receipt.dry_run else receipt.version)})


async def delete_config(services: Services, call: Call[None, DeleteQuery]) -> web.StreamResponse:
    """Delete a config, or take a mask away.

    What a less specific scope says for the key shows again. What others refer to is not deleted, nor what is under a
    rollout, unless it is forced, which ends the rollout.
    """
    config = await _live(services, call, Permission.CONFIGS_WRITE)
    version = require_match(call.request, config.version)
    op = Op.UNMASK if config.kind is Kind.MASK else Op.DELETE
    operation = Operation(op, config.scope, config.key, expected_version=version)
    return reply(ConfigReceipt.of(*await _carry_out(services, call, operation, call.query)))


async def list_config_versions(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the versions of a config, newest first; also of a deleted one."""
    config = await require_config(services, call, Permission.CONFIGS_READ)
    page = await services.configs.versions(config.id, limit=call.page_size(call.query.limit), cursor=call.query.cursor)
    seen = (veiled(call.principal, each, place_of(config)) for each in page.items)
    return reply(PageView(tuple(map(ConfigVersionView.of, seen)), page.next_cursor))


async def fetch_configs(services: Services, call: Call[Fetch, None]) -> web.StreamResponse:
    """Fetch what an app/environment gets: the effective configs, each with its origin.

    With a `context` they are resolved for who asks; a plain value is the same for everybody. Reads what is committed,
    whichever replica wrote it; while the database is away, what was known last, marked stale, also by a header.
    With a `revision` or an instant (`at`), it is what was effective then: also of a rollout, which at a revision is as
    far as it was when that was committed.
    """
    body, context = call.body, ANYBODY if call.body.context is None else call.body.context.value
    require_somewhere(call.principal, Permission.CONFIGS_READ, Place(body.app_id, body.environment))
    if body.when != When():
        return await _fetch_past(services, call)
    view = await services.snapshots.resolved(body.app_id, body.environment, body.keys, context)
    configs = seen_effective(call.principal, body, view.configs)
    missing = tuple(sorted(set(body.keys or ()) - configs.keys()))
    document = EffectiveConfigs(body.app_id, body.environment, view.revision, view.stale, configs, missing)
    return reply(document, headers=staleness(view.stale))


async def _fetch_past(services: Services, call: Call[Fetch, None]) -> web.Response:
    body = call.body
    looking_back = services.hindsight.looking_back
    revision = await looking_back.revision(body.when, "/")
    past = await looking_back.resolvable(body.app_id, body.environment, revision, body.keys)
    context = ANYBODY if body.context is None else body.context.value
    at = body.when.at or services.clock.now()
    if body.when.at is None and any(each.entry.rollout for each in past.values()):
        at = (await services.changes.get_change(revision)).committed_at
    resolved = Program.of(past).resolutions(past if body.keys is None else body.keys, context, unix_ms(at))
    configs = seen_effective(call.principal, body, dict(sorted(resolved.items())))
    missing = tuple(sorted(set(body.keys or ()) - configs.keys()))
    return reply(EffectiveConfigs(body.app_id, body.environment, revision, False, configs, missing))


async def _value_kept(services: Services, config: Config, body: ConfigUpdate) -> bytes:
    """The value of a config whose update gives none."""
    if config.kind not in WITH_VALUE:
        raise InvalidError([Violation("/value", f"an entry of the kind {config.kind} has no value to keep: give one")])
    if config.sensitive and body.sensitive is False:
        raise InvalidError([Violation("/value", "what was a secret is not uncovered: give the value again")])
    return await services.configs.value(config.id, config.version)


async def _list(services: Services, where: ConfigFilter, limit: int, cursor: str | None) -> Page[Config]:
    return await services.configs.list(where, limit=limit, cursor=cursor)


async def _live(services: Services, call: Call[Any, Any], permission: Permission) -> Config:
    config = await require_config(services, call, permission)
    if config.deleted:
        raise NotFoundError(_KIND, str(config.id))
    return config


async def _carry_out(
    services: Services, call: Call[Any, Any], operation: Operation, why: NewConfig | ConfigUpdate | DeleteQuery
) -> tuple[Committed, PreviewView | None]:
    force = Force(reason=why.force) if isinstance(why.force, str) else why.force
    draft = Draft(
        operations=(operation,),
        by=call.acting(Permission.CONFIGS_WRITE, Place.of(operation.scope, operation.key)),
        message=why.message,
        idempotency_key=call.idempotency_key,
        request_hash=call.request_hash,
        dry_run=why.dry_run,
        forced=None if force is None else force.forced,
    )
    with _about_one_config():
        if draft.dry_run:
            preview = seen_preview(call.principal, await services.previews.of(draft))
            return preview.committed, PreviewView.of(preview, draft.operations)
        return await services.publishing.commit(draft), None


@contextmanager
def _about_one_config() -> Iterator[None]:
    """Let problems speak of a body that has no list of operations."""
    try:
        yield
    except UnfitError as error:
        unfit = [replace(each, operation=each.operation.removeprefix(_ONLY_OPERATION)) for each in error.unfit]
        raise UnfitError(unfit, error.total) from error
    except InvalidError as error:
        violations = [Violation(each.pointer.removeprefix(_ONLY_OPERATION), each.detail) for each in error.violations]
        raise InvalidError(violations) from error
    except GuardedError as error:
        hits = [replace(each, pointer=each.pointer.removeprefix(_ONLY_OPERATION)) for each in error.hits]
        raise GuardedError(hits) from error
    except ConflictError as error:
        raise type(error)(error.detail, **_single(error.facts)) from error
    except TooLargeError as error:
        pointer = error.pointer.removeprefix(_ONLY_OPERATION)
        raise TooLargeError(error.limit, error.allowed, error.unit, pointer) from error


def _single(facts: Mapping[str, Json]) -> dict[str, Json]:
    """What the one conflict is with, without the list around it."""
    conflicts = facts.get("conflicts")
    if rollouts := facts.get("rollouts"):
        return {
            **facts,
            "rollouts": [{**each, "pointer": each["pointer"].removeprefix(_ONLY_OPERATION)} for each in rollouts],
        }
    if not conflicts:
        return dict(facts)
    current = conflicts[0]["current"]
    return {"id": current["id"], "version": current["version"], "current": current}

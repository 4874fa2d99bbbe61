"""From the request for a rollout to what the domain is asked for: templates and clones filled in, secrecy looked up."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_core import from_json

from control_plane.api.bodies.rollout_plans import Following, RolloutPlan, StageBody
from control_plane.api.bodies.rollouts import NewRollout, RolloutOverrides
from control_plane.api.call import Call
from control_plane.api.reading import read_body
from control_plane.api.services import Services
from control_plane.domain.errors import GuardedError, InvalidError, NotFoundError, UnfitError
from control_plane.domain.rollouts import spec
from control_plane.domain.rollouts.rollout import Rollout
from control_plane.domain.rollouts.spec import Stage
from control_plane.domain.rollouts.words import AtEnd, Strategy
from shared.domain.codec import Json, decode, encode
from shared.domain.compaction import compacted
from shared.domain.condition import GROUPS, MAX_VALUES
from shared.domain.entry import Kind
from shared.domain.scope import Scope
from shared.domain.split import TARGETING_KEY
from shared.runtime.clock import unix_ms
from shared.wire.problem import Violation

PLAN = tuple(RolloutPlan.model_fields)
"""The members that a template has."""
_ONLY_OPERATION = "/operations/0"
_FOLLOWS = "/follows"


async def completed(services: Services, call: Call[NewRollout, Any]) -> tuple[NewRollout, dict[str, Json]]:
    """The request with what it leaves to its template, and all its members as they were given.

    Raises:
        InvalidError: there is no such template, or the whole does not go together.
    """
    given = dict(from_json(call.raw))
    if call.body.template is None:
        return call.body, given
    try:
        template = await services.templates.get(call.body.template)
    except NotFoundError as error:
        raise InvalidError([Violation("/template", str(error))]) from error
    return _merged(call, dict(template.document), given)


def completed_clone(call: Call[RolloutOverrides, Any], original: Rollout) -> tuple[NewRollout, dict[str, Json]]:
    """A request for another rollout like one that there is, but for what is given.

    Raises:
        InvalidError: the whole does not go together, or would show a secret elsewhere.
    """
    given = dict(from_json(call.raw))
    scope = original.scope
    same = {"app_id": scope.app_id, "environment": scope.environment, "key": original.key}
    if "app_id" in given and "environment" not in given:
        same["environment"] = None
    kept = {**same, "message": original.message, "labels": dict(original.labels), **(original.asked or {})}
    exposed = {"value": "candidate"}.get(original.kind, original.kind)
    if call.body.exposed is None:
        kept[exposed] = decode(original.candidate)
        moved = any(name in given and given[name] != same[name] for name in same)
        if original.sensitive and moved:
            detail = "the candidate is a secret of the config that it was made for: give another one"
            raise InvalidError([Violation("/candidate", detail)])
    return _merged(call, kept, given)


def _merged(call: Call[Any, Any], kept: dict[str, Json], given: dict[str, Json]) -> tuple[NewRollout, dict[str, Json]]:
    whole = kept | given
    return read_body(NewRollout, encode(whole), call.limits), whole


async def asked(services: Services, body: NewRollout, whole: Mapping[str, Json]) -> spec.NewRollout:
    """The request in the domain's words.

    Raises:
        InvalidError: something that every rollout needs is missing.
    """
    missing = {"/key": body.key, "/strategy": body.strategy, "/candidate": body.exposed}
    if found := [Violation(pointer, "must be given") for pointer, each in missing.items() if each is None]:
        raise InvalidError(found)
    if body.key is None or body.strategy is None or body.exposed is None:
        raise AssertionError
    kind, candidate = body.exposed
    plan = _plan(body, whole)
    window = body.window
    opens, closes = (None, None) if window is None else window.bounds
    return spec.NewRollout(
        scope=body.scope,
        key=body.key,
        strategy=Strategy(body.strategy),
        kind=kind,
        candidate=candidate,
        stages=None if body.stages is None else [_stage(each) for each in body.stages],
        gates=body.gates,
        unit=body.unit,
        salt=body.salt,
        bucketing=body.bucketing,
        when=plan.get("when"),
        users=plan.get("users") or (),
        groups=plan.get("groups") or (),
        follows=None if body.follows is None else _condition(body.follows),
        opens_ms=None if opens is None else unix_ms(opens),
        closes_ms=None if closes is None else unix_ms(closes),
        at_end=None if window is None or window.at_end is None else AtEnd(window.at_end),
        start_at_ms=None if body.start_at is None else unix_ms(body.start_at),
        sensitive=await services.showing.is_secret(body.scope, body.key),
        message=body.message,
        labels=body.labels,
        asked=plan,
    )


def _plan(body: NewRollout, whole: Mapping[str, Json]) -> dict[str, Json]:
    """The plan as it was given. A long list of users becomes the condition that agents get, which is shorter."""
    plan = {name: whole[name] for name in PLAN if name in whole}
    if body.users is None or len(body.users) <= MAX_VALUES:
        return plan
    named: list[Json] = [{"attribute": TARGETING_KEY, "op": "in", "values": list(body.users)}]
    named += [{"attribute": GROUPS, "op": "in", "values": list(body.groups)}] if body.groups else []
    parts = [{"any": named}, *([] if body.when is None else [body.when])]
    rest = {name: each for name, each in plan.items() if name not in {"users", "groups"}}
    return rest | {"when": compacted({"all": parts})}


def _stage(stage: StageBody) -> Stage:
    return Stage(
        weight=stage.weight,
        labels=stage.labels,
        after_ms=None if stage.after is None else round(stage.after.total_seconds() * 1_000),
        at_ms=None if stage.at is None else unix_ms(stage.at),
        gates=stage.gates,
    )


def _condition(follows: Following) -> Json:
    return {"config": follows.config, "op": follows.op, "values": follows.values}


@contextmanager
def about_the_request(body: RolloutOverrides | None = None) -> Iterator[None]:
    """Let problems speak of the members of a request for a rollout, not of the operation that its start is."""
    member = partial(_member, _places(body))
    try:
        yield
    except UnfitError as error:
        unfit = [replace(each, operation=member(each.operation)) for each in error.unfit]
        raise UnfitError(unfit, error.total) from error
    except InvalidError as error:
        raise InvalidError([Violation(member(each.pointer), each.detail) for each in error.violations]) from error
    except GuardedError as error:
        raise GuardedError([replace(each, pointer=member(each.pointer)) for each in error.hits]) from error


def _places(body: RolloutOverrides | None) -> dict[str, str]:
    """Where the parts of an exposure stand in the request that it was made of."""
    kind = Kind.VALUE if body is None else body.kind
    candidate = f"/{kind}" if kind in {Kind.FLAG, Kind.SEGMENT} else "/candidate"
    places = dict.fromkeys(("/candidate", "/value", "/flag", "/segment"), candidate)
    if body is None:
        return places
    given = {"/users": body.users or body.groups, "/when": body.when, _FOLLOWS: body.follows}
    parts = [name for name, each in given.items() if each is not None]
    if len(parts) == 1:
        return places | {"/when": parts[0]}
    return {f"/when/all/{index}": name for index, name in enumerate(parts)} | places


def _member(places: Mapping[str, str], pointer: str) -> str:
    """What a member of the operation by which a rollout starts is in its request."""
    if not pointer.startswith(_ONLY_OPERATION):
        return pointer
    rest = pointer.removeprefix(_ONLY_OPERATION).removeprefix("/rollout")
    own = next((each for each in places if rest == each or rest.startswith(f"{each}/")), None)
    if own is None:
        return rest
    # A config to follow may be given by its key alone, which has no members.
    return places[own] + ("" if places[own] == _FOLLOWS else rest.removeprefix(own))


def scope_of(app_id: str | None, environment: str | None) -> Scope | None:
    """The scope of a filter: none unless an environment is named."""
    return None if environment is None else Scope(app_id, environment)

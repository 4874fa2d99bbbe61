"""Policies: what changes need before they are committed."""

from typing import Any

from aiohttp import web

from control_plane.api.bodies.pages import PageQuery, PageView
from control_plane.api.bodies.policies import PolicyBody, PolicyView
from control_plane.api.call import Call, reply
from control_plane.api.preconditions import etag, require_match
from control_plane.api.services import Services
from control_plane.domain.access.decision import may_somewhere
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.domain.errors import InvalidError, NotFoundError
from control_plane.domain.guards import setting_violations
from control_plane.domain.policy import NewPolicy, Policy, policy_violations

_KIND = "policy"


async def create_policy(services: Services, call: Call[PolicyBody, None]) -> web.StreamResponse:
    """Put a policy in force.

    It holds for every change from then on, also for those that wait already: they are looked at again when they are
    committed. Of several policies that apply to a change, the strictest word counts.
    """
    policy = await services.policies.create(_checked(call.body), call.attribution)
    return _show(services, policy, 201)


async def list_policies(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the policies by name."""
    page = await services.policies.list(limit=call.page_size(call.query.limit), cursor=call.query.cursor)
    now = services.clock.now()
    return reply(
        PageView(tuple(PolicyView.of(each, now) for each in page.items if _sees(call, each)), page.next_cursor)
    )


async def get_policy(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one policy."""
    found = await services.policies.get(call.id(_KIND))
    if not _sees(call, found):
        raise NotFoundError(_KIND, str(found.id))
    return _show(services, found)


async def replace_policy(services: Services, call: Call[PolicyBody, None]) -> web.StreamResponse:
    """Let a policy say something else: all of it."""
    asked, known = _checked(call.body), await services.policies.get(call.id(_KIND))
    version = require_match(call.request, known.version)
    return _show(services, await services.policies.replace(known.id, version or known.version, asked, call.attribution))


async def delete_policy(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Take a policy away."""
    known = await services.policies.get(call.id(_KIND))
    version = require_match(call.request, known.version)
    await services.policies.delete(known.id, version or known.version, call.attribution)
    return web.Response(status=204)


def _checked(body: PolicyBody) -> NewPolicy:
    asked = body.asked
    if found := [*policy_violations(asked), *setting_violations("/guards", asked.guards)]:
        raise InvalidError(found)
    return asked


def _show(services: Services, policy: Policy, status: int = 200) -> web.Response:
    headers = {"Location": f"/api/v1/policies/{policy.id}", "ETag": etag(policy.version)}
    return reply(PolicyView.of(policy, services.clock.now()), status, headers)


def _sees(call: Call[Any, Any], policy: Policy) -> bool:
    """A policy that names an application is for who may see policies of a part of that; others are for everybody."""
    app = policy.pattern.partition("/")[0]
    named = None if "*" in app or app == "global" else app
    return may_somewhere(call.principal, Permission.POLICIES_READ, Place(named))

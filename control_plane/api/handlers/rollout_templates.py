"""Plans of rollouts with a name."""

from typing import Any

from aiohttp import web
from pydantic_core import from_json

from control_plane.api.bodies.pages import PageQuery, PageView
from control_plane.api.bodies.rollout_templates import TemplateBody, TemplateQuery, TemplateView
from control_plane.api.call import Call, reply
from control_plane.api.preconditions import etag, given_version, unchanged
from control_plane.api.services import Services
from control_plane.domain.errors import InvalidError, NotFoundError
from control_plane.domain.transition import Template
from shared.domain.scope import is_name


async def put_rollout_template(services: Services, call: Call[TemplateBody, None]) -> web.StreamResponse:
    """Keep a plan under a name, or put another one in its place.

    Rollouts that were made of it stay as they are. `If-Match`, or the member `version`, says which version was read; 0
    makes a new one only. The same plan again changes nothing.
    """
    version = given_version(call.request, call.body.version)
    if found := call.body.plan.violations("/plan"):
        raise InvalidError(found)
    plan = from_json(call.raw)["plan"]
    kept = await services.templates.put(_name(call), call.body.description, plan, call.attribution, version)
    return _show(kept)


async def list_rollout_templates(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the templates by name."""
    page = await services.templates.list(limit=call.page_size(call.query.limit), cursor=call.query.cursor)
    return reply(PageView(tuple(map(TemplateView.of, page.items)), page.next_cursor))


async def get_rollout_template(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show one template."""
    template = await services.templates.get(_name(call))
    if unchanged(call.request, etag(template.version)):
        return web.Response(status=304, headers={"ETag": etag(template.version)})
    return _show(template)


async def delete_rollout_template(services: Services, call: Call[None, TemplateQuery]) -> web.StreamResponse:
    """Forget a template. Rollouts that were made of it stay as they are."""
    version = given_version(call.request, call.query.version)
    await services.templates.delete(_name(call), call.attribution, version)
    return web.Response(status=204)


def _name(call: Call[Any, Any]) -> str:
    """The name in the path.

    Raises:
        NotFoundError: no template can have it.
    """
    text = call.request.match_info["template"]
    if not is_name(text):
        kind = "rollout template"
        raise NotFoundError(kind, text)
    return text


def _show(template: Template) -> web.Response:
    headers = {"Location": f"/api/v1/rollout-templates/{template.name}", "ETag": etag(template.version)}
    return reply(TemplateView.of(template), headers=headers)

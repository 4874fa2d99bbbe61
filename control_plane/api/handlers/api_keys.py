"""Keys of people and machines: who they are, and what they may do."""

from aiohttp import web

from control_plane.api.bodies.api_keys import ApiKeyView, NewApiKey, NewApiKeyView
from control_plane.api.bodies.pages import PageQuery, PageView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services


async def create_api_key(services: Services, call: Call[NewApiKey, None]) -> web.StreamResponse:
    """Make a key for a person or a machine.

    The secret is in this answer and nowhere else. What is done with the key is attributed to its name, which no other
    key has while this one works. Its role can have no permission that the caller lacks.
    """
    key, secret = await services.access.create_api_key(call.body.asked, call.principal, call.attribution)
    return reply(NewApiKeyView.of(key, secret), 201, {"Location": f"/api/v1/api-keys/{key.id}"})


async def list_api_keys(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the keys that are not revoked by name, without their secrets."""
    page = await services.access.list_api_keys(limit=call.page_size(call.query.limit), cursor=call.query.cursor)
    return reply(PageView(tuple(map(ApiKeyView.of, page.items)), page.next_cursor))


async def revoke_api_key(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Revoke a key.

    This replica refuses it at once, others do within two seconds.
    """
    await services.access.revoke_api_key(call.id("API key"), call.attribution)
    return web.Response(status=204)

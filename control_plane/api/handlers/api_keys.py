"""Keys of people and machines: who they are, and what they may do."""

from datetime import timedelta

from aiohttp import web

from control_plane.api.bodies.api_keys import ApiKeyView, NewApiKey, NewApiKeyView, Rotation
from control_plane.api.bodies.pages import PageQuery, PageView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services


async def create_api_key(services: Services, call: Call[NewApiKey, None]) -> web.StreamResponse:
    """Make a key for a person or a machine.

    The secret is in this answer and nowhere else. What is done with the key is attributed to its name, which no other
    key has while this one works. Its role can have no permission that the caller lacks.
    """
    key, secret = await services.api_keys.create(call.body.asked, call.principal, call.attribution)
    return reply(NewApiKeyView.of(key, secret), 201, {"Location": f"/api/v1/api-keys/{key.id}"})


async def list_api_keys(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the keys that are not revoked by name, without their secrets."""
    page = await services.api_keys.list(limit=call.page_size(call.query.limit), cursor=call.query.cursor)
    return reply(PageView(tuple(map(ApiKeyView.of, page.items)), page.next_cursor))


async def get_api_key(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show a key without its secret: what it is for, from where it may be used, and when it was."""
    return reply(ApiKeyView.of(await services.api_keys.get(call.id("API key"))))


async def rotate_api_key(services: Services, call: Call[Rotation, None]) -> web.StreamResponse:
    """Give a key another secret.

    It is in this answer and nowhere else. The one before works for `overlap` seconds more, so that whoever uses it can
    change over without an interruption; 0 ends it at once, after a leak, and access tokens that were given for it as well.
    """
    rotated, secret = await services.api_keys.rotate(
        call.id("API key"), timedelta(seconds=call.body.overlap), call.principal, call.attribution
    )
    return reply(NewApiKeyView.of(rotated, secret), headers={"Cache-Control": "no-store"})


async def revoke_api_key(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Revoke a key.

    This replica refuses it at once, others do within two seconds.
    """
    await services.api_keys.revoke(call.id("API key"), call.attribution)
    return web.Response(status=204)

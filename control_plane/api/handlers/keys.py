"""The installation's own keys: how they stand, and replacing them."""

from aiohttp import web

from control_plane.api.bodies.keys import KeyRotation, KeysView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services
from control_plane.domain.keys import Purpose


async def get_keys(services: Services, call: Call[None, None]) -> web.StreamResponse:
    """Show under which keys sensitive values lie, and which keys sign.

    No secret is in it: ids of keys, how many there are, and public halves.
    """
    _ = call
    return reply(await _standing(services))


async def rotate_keys(services: Services, call: Call[KeyRotation, None]) -> web.StreamResponse:
    """Replace keys, while everything goes on.

    Sensitive values get new data keys as they are written, and the rest is sealed anew in the background: `outdated` tells
    how many are left. A new signing key is told to agents an hour before it signs, unless it is needed at once.
    """
    match call.body.what:
        case "data":
            await services.key_keeping.rotate_data_keys(call.attribution)
        case "wrapping":
            await services.key_keeping.rewrap()
        case purpose:
            await services.key_keeping.rotate_signing_key(Purpose(purpose), call.attribution, at_once=call.body.at_once)
    return reply(await _standing(services))


async def _standing(services: Services) -> KeysView:
    signing = [(str(purpose), each) for purpose in Purpose for each in services.signing_keys.public(purpose)]
    return KeysView.of(await services.key_keeping.status(), signing)

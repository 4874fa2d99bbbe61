"""The keys with which agents verify what they hear and fetch."""

from aiohttp import web

from control_plane.api.call import Call
from control_plane.api.services import Services
from shared.wire.signature import HTTP_HEADER


async def get_signing_keys(services: Services, _call: Call[None, None]) -> web.StreamResponse:
    """Show the public keys with which messages and snapshots are signed.

    The list is signed by each of them (`Trimtab-Signature`), so that whoever trusts one of them can follow a rotation.
    """
    body, signatures = services.signatures.key_list()
    headers = {HTTP_HEADER: signatures, "Cache-Control": "no-store"}
    return web.Response(body=body, content_type="application/json", headers=headers)

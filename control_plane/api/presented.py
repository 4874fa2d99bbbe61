"""What a request shows of its caller: a token, where it comes from, and a client's certificate if our TLS asked for one."""

import hashlib

from aiohttp import web

from control_plane.api.call import address_of
from control_plane.services.identity.presented import ClientCertificate, Presented


def presented_by(request: web.BaseRequest) -> Presented:
    """All of it."""
    return Presented(bearer_token(request), address_of(request), _certificate(request))


def bearer_token(request: web.BaseRequest) -> str:
    """The token of the `Authorization` header; nothing if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _certificate(request: web.BaseRequest) -> ClientCertificate | None:
    """One that our own TLS layer has verified; what a proxy says of one is nobody's word for it."""
    if request.transport is None or (tls := request.transport.get_extra_info("ssl_object")) is None:
        return None
    told, raw = tls.getpeercert(), tls.getpeercert(binary_form=True)
    if not told or raw is None:
        return None
    uris = tuple(value for kind, value in told.get("subjectAltName", ()) if kind == "URI")
    return ClientCertificate(uris, hashlib.sha256(raw).hexdigest())

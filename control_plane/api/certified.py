"""Whether who comes with an agent's certificate speaks for that agent: asked wherever a body names an instance."""

from dataclasses import replace
from typing import Any

from control_plane.api.call import Call
from control_plane.api.presented import presented_by
from control_plane.domain.access.certificate import agrees
from control_plane.domain.access.permission import Permission
from control_plane.domain.errors import ForbiddenError


def require_certified(call: Call[Any, None], instance: str) -> None:
    """Let the caller speak for this instance unless its certificate names others.

    An agent token is good for every instance of its app/environment, a certificate may be for one of them.

    Raises:
        ForbiddenError: the certificate belongs to another instance.
    """
    certificate = presented_by(call.request).certificate
    if certificate is not None and not agrees(replace(call.principal, instance=instance), certificate.uris):
        raise ForbiddenError(Permission.FLEET_REPORT, "This client's certificate belongs to another instance.")

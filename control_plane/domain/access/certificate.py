"""What a client's certificate says beside its token, pure.

A URI `trimtab://agent/<app>/<environment>[/<instance>]` among the names of a certificate (SAN) says whose it is. A token
shown over a connection with such a certificate has to be that agent's: so a token that was copied is of no use elsewhere.
"""

from collections.abc import Sequence

from control_plane.domain.access.principal import Principal

PREFIX = "trimtab://agent/"
_PARTS = (2, 3)


def agrees(principal: Principal, uris: Sequence[str]) -> bool:
    """Whether a certificate with these URIs may be shown with this principal's token."""
    named = [each.removeprefix(PREFIX).split("/") for each in uris if each.startswith(PREFIX)]
    return not named or any(_is(principal, each) for each in named)


def _is(principal: Principal, parts: Sequence[str]) -> bool:
    if not principal.is_agent or len(parts) not in _PARTS:
        return False
    own = [principal.app_id, principal.environment, principal.instance]
    return list(parts[:2]) == own[:2] and (len(parts) == _PARTS[0] or own[2] is None or parts[2] == own[2])

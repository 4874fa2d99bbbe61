"""Agents get a credential of their own: short-lived, bound to app, environment and instance, and renewed in time."""

from dataclasses import dataclass
from datetime import timedelta

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal, agent_of
from control_plane.domain.errors import ForbiddenError
from control_plane.domain.keys import PublicKey, Purpose
from control_plane.services.identity.access_tokens import AccessTokens, IssuedToken
from control_plane.services.keys.signing import SigningKeys


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An agent's credential, and the keys that it verifies messages and snapshots with."""

    credential: IssuedToken
    signing_keys: tuple[PublicKey, ...]


class Enrolment:
    """Gives agents their credentials, for what they come with: an agent token, or the credential that they have."""

    def __init__(self, tokens: AccessTokens, keys: SigningKeys, lifetime: timedelta) -> None:
        self._tokens, self._keys, self._lifetime = tokens, keys, lifetime

    def enrol(self, principal: Principal, instance: str, shown: str) -> Enrolled:
        """A credential for this instance. `shown` is the token that the agent came with.

        Raises:
            ForbiddenError: it is no agent, or another one.
        """
        if principal.app_id is None or principal.environment is None:
            detail = "Only agents enrol: use an agent token of the app/environment."
            raise ForbiddenError(Permission.FLEET_REPORT, detail)
        if principal.instance not in {None, instance}:
            raise ForbiddenError(Permission.FLEET_REPORT, "This credential belongs to another instance.")
        told = self._tokens.told(shown) if principal.instance is not None else None
        behind = principal.credential or principal.id if told is None else told.credential
        own = agent_of(principal.app_id, principal.environment, principal.id, instance=instance)
        return Enrolled(self._tokens.issue_for(own, self._lifetime, behind), self._keys.public(Purpose.MESSAGES))

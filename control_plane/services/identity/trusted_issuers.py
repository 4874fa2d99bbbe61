"""Machines that others vouch for: a CI job or an agent in Kubernetes shows the token that its platform gave it."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from control_plane.domain.access.claims import revocable_by
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.trust import TrustedIssuer, UntrustedError, Vouched, vouched
from control_plane.domain.errors import LoginFailedError
from control_plane.ports.issuers import IssuerTokens
from control_plane.services.bindings import Bindings
from control_plane.services.identity.issuer import issuer_said_by
from control_plane.services.identity.presented import Presented
from control_plane.services.identity.revoking import Revoking

CLOCKS_DIFFER_BY = timedelta(seconds=60)
"""What an issuer signed within this after a revocation ends with it: its clock may be ahead of ours."""

_log = logging.getLogger(__name__)


class TrustedIssuers:
    """Knows the tokens of all of them (port `Authenticator`)."""

    def __init__(
        self, issuers: Sequence[tuple[TrustedIssuer, IssuerTokens]], bindings: Bindings, revoking: Revoking
    ) -> None:
        self._issuers = {each.issuer: (each, tokens) for each, tokens in issuers}
        self._bindings, self._revoking = bindings, revoking

    def takes(self, token: str) -> bool:
        """Whether this says to be from one of them."""
        return bool(self._issuers) and issuer_said_by(token) in self._issuers

    async def authenticate(self, presented: Presented) -> Principal | None:
        """Whom the issuer vouches for; None if it does not, or a revocation ended that. Why is for our log alone."""
        issuer, tokens = self._issuers[issuer_said_by(presented.token)]
        try:
            told = vouched(issuer, await tokens.claims(presented.token))
        except (LoginFailedError, UntrustedError) as error:
            _log.info("a token of a trusted issuer was refused", extra={"issuer": issuer.name, "reason": str(error)})
            return None
        return None if self._ends(told) else await self._granted(told)

    def _ends(self, told: Vouched) -> bool:
        subjects = revocable_by(told.principal, told.jti, told.principal.credential)
        return self._revoking.ends(subjects, told.issued_at - CLOCKS_DIFFER_BY)

    async def _granted(self, told: Vouched) -> Principal:
        if told.principal.is_agent:
            return told.principal
        return told.granted(await self._bindings.of(f"service:{told.principal.id}", told.principal.groups))

"""Whoever can tell whether a trusted issuer signed a token."""

from collections.abc import Mapping
from typing import Protocol

from shared.domain.codec import Json


class IssuerTokens(Protocol):
    """Tokens of one issuer."""

    async def claims(self, token: str) -> Mapping[str, Json]:
        """What a token says that the issuer signed for us, and that is in force.

        Raises:
            LoginFailedError: it is none; the reason holds nothing of it.
            UnavailableError: the issuer's keys are not known, and it cannot be asked now.
        """
        ...

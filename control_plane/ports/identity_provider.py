"""The company's identity provider, as logins see it."""

from typing import Protocol

from control_plane.domain.people.provider import EndedThere, Going
from control_plane.domain.people.user import Identified


class IdentityProvider(Protocol):
    """Knows people. Raises `UnavailableError` while it is away, and `LoginFailedError` if its answer is of no use."""

    @property
    def issuer(self) -> str:
        """Who it is."""
        ...

    async def address(self, going: Going) -> str:
        """Where a browser goes to log in."""
        ...

    async def identify(self, code: str, iss: str, going: Going) -> Identified:
        """Who it was that came back with this code, from whoever says to be `iss`."""
        ...

    async def ended(self, token: str) -> EndedThere:
        """Whose sessions the provider wants to be ended (back-channel logout)."""
        ...

"""What a caller shows, and who can tell by it who that is."""

from dataclasses import dataclass, field
from typing import Protocol

from control_plane.domain.access.principal import Principal


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A client's certificate that our TLS layer has verified: the URIs that it names (SAN), and its fingerprint."""

    uris: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Presented:
    """A request's credentials. `address` is where it comes from, as far as proxies are trusted to say so."""

    token: str = field(default="", repr=False)
    address: str = ""
    certificate: ClientCertificate | None = None


class Authenticator(Protocol):
    """Knows one kind of token."""

    def takes(self, token: str) -> bool:
        """Whether a token is of this kind, by its form alone. Cheap, and never raises."""
        ...

    async def authenticate(self, presented: Presented) -> Principal | None:
        """Who that is; None if the token is not good.

        Raises:
            UnavailableError: that cannot be told now.
        """
        ...

"""What agents need to log in at the broker."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field

from control_plane.api.bodies.fields import Body, without_nul
from control_plane.domain.broker import BrokerCredential
from shared.wire.report import MAX_TEXT


class NewBrokerCredential(Body):
    """Whom a credential is for."""

    instance: Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(without_nul)]
    """The agent's instance, by which its queues are named."""


@dataclass(frozen=True, slots=True)
class BrokerCredentialView:
    """A credential for the broker. It is the password; the broker takes the user name from it."""

    username: str
    password: str
    expires_in: int

    @classmethod
    def of(cls, credential: BrokerCredential) -> Self:
        """Show one."""
        return cls(credential.username, credential.password, credential.expires_in)


@dataclass(frozen=True, slots=True)
class KeySetView:
    """Public keys, as a JSON Web Key Set."""

    keys: list[dict[str, Any]]

"""The installation's own keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from control_plane.api.bodies.fields import Body
from control_plane.domain.keys import PublicKey
from control_plane.domain.sealing import SealingStatus


class KeyRotation(Body):
    """Which keys to replace."""

    what: Literal["data", "tokens", "messages", "broker", "wrapping"]
    """`data`: the keys of all scopes, under which sensitive values lie. `tokens`, `messages`: the key that signs those.
    `broker`: the key that signs what agents log in with there. `wrapping`: none, but all of them are encrypted by the present
    key-encryption key."""
    at_once: bool = False
    """Whether a new signing key signs at once, not in an hour: after the old one has leaked. Who has not heard of the new one
    refuses what it signs until then."""


@dataclass(frozen=True, slots=True)
class KeyUseView:
    """A key-encryption key by its id: how many keys it encrypts. `known`: whether this replica has it."""

    id: str
    keys: int
    retired: int
    known: bool


@dataclass(frozen=True, slots=True)
class SigningKeyView:
    """A public key (Ed25519, in hexadecimal). It signs from `signs_from`; `trusted_until` is null while it signs, or will."""

    purpose: str
    kid: str
    public: str
    signs_from: datetime
    trusted_until: datetime | None


@dataclass(frozen=True, slots=True)
class KeysView:
    """How sensitive values lie. Of `sensitive` versions of configs, `outdated` ones are still to be sealed anew."""

    encrypted_by: str
    key_encryption_keys: tuple[KeyUseView, ...]
    signing_keys: tuple[SigningKeyView, ...]
    sensitive: int
    outdated: int

    @classmethod
    def of(cls, status: SealingStatus, signing: Sequence[tuple[str, PublicKey]]) -> Self:
        """Show how things stand."""
        return cls(
            encrypted_by=status.encrypts,
            key_encryption_keys=tuple(KeyUseView(e.id, e.present, e.retired, e.known) for e in status.keys),
            signing_keys=tuple(
                SigningKeyView(purpose, each.kid, each.raw.hex(), each.signs_from, each.trusted_until)
                for purpose, each in signing
            ),
            sensitive=status.sensitive,
            outdated=status.outdated,
        )

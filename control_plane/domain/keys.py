"""Keys that the installation makes for itself, and what is known of them without their secret halves."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Purpose(StrEnum):
    """What a signing key signs. A signature made for one purpose means nothing for another."""

    TOKENS = "tokens"
    """Access tokens and the credentials of agents."""
    MESSAGES = "messages"
    """Messages and snapshots."""
    BROKER = "broker"
    """Credentials with which agents log in at the broker, which knows these keys and no others."""


KNOWN_AHEAD = timedelta(hours=1)
"""How long a new signing key is told about before it signs, so that whoever verifies knows it by then."""
_NO_TIME = timedelta()
TRUSTED_AFTER = timedelta(hours=25)
"""How long signatures of a key are good after it signed its last: longer than anything that is signed."""
KEPT_AFTER = {
    Purpose.TOKENS: TRUSTED_AFTER,
    Purpose.MESSAGES: timedelta(days=400),
    Purpose.BROKER: TRUSTED_AFTER,
}
"""How long a key is kept at all after it signed its last. An agent that was away believes a list of keys only if one that it
knows has signed it: the old keys go on signing that, and nothing else."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key as it is stored: encrypted under the key-encryption key of this id."""

    encrypted_by: str
    blob: bytes


@dataclass(frozen=True, slots=True)
class SigningKeyRecord:
    """One generation of the keys of a purpose. `public` are the 32 bytes of an Ed25519 key.

    It signs from `signs_from` until the next generation does.
    """

    purpose: Purpose
    generation: int
    kid: str
    public: bytes
    private: WrappedKey
    created_at: datetime
    signs_from: datetime
    abrupt: bool = False
    """Whether the one before it is trusted no longer once this one signs."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What verifies. Signatures of it are good until `trusted_until`; None for a key that signs, or will."""

    kid: str
    raw: bytes
    signs_from: datetime
    trusted_until: datetime | None


def signing_at(records: list[SigningKeyRecord], now: datetime) -> SigningKeyRecord:
    """The one that signs now: the latest that has begun; before any has (a clock was set back), the first."""
    begun = [each for each in records if each.signs_from <= now]
    return max(begun, key=lambda each: each.generation) if begun else records[0]


def trusted_at(records: list[SigningKeyRecord], now: datetime) -> tuple[PublicKey, ...]:
    """Those whose signatures are good now, the oldest first; `records` come by generation."""
    ends = [_end(records[place + 1 :]) for place in range(len(records))]
    keys = (PublicKey(each.kid, each.public, each.signs_from, end) for each, end in zip(records, ends, strict=True))
    return tuple(each for each in keys if each.trusted_until is None or each.trusted_until > now)


def _end(later: list[SigningKeyRecord]) -> datetime | None:
    """Until when a key is trusted that these came after."""
    return min((each.signs_from + (_NO_TIME if each.abrupt else TRUSTED_AFTER) for each in later), default=None)

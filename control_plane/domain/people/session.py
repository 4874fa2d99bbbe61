"""A session: somebody who has logged in, for as long as they come back and no longer than a day's work.

States: live → idle too long, at its absolute end, or ended by somebody; none of these leads back.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from control_plane.domain.people.user import Identified, User

BEARER_PREFIX = "trimtab_session_"
"""What the secret of a session begins with where it travels as a token."""
_SECRET_BYTES = 32
_CSRF = b"trimtab csrf token"
TOUCH_EVERY = timedelta(seconds=30)
"""How exactly it is kept when somebody was last here."""


class Carrier(StrEnum):
    """How the secret of a session travels. A secret that comes the other way is worth nothing."""

    COOKIE = "cookie"
    BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session may lie idle, and how long it may last at all."""

    idle: timedelta
    absolute: timedelta


@dataclass(frozen=True, slots=True)
class Session:
    """What is kept of a session, under the hash of its secret. `id` names it to its owner, and opens nothing."""

    id: str
    user_id: UUID
    user: str
    generation: int
    carrier: Carrier
    groups: tuple[str, ...]
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    idle: timedelta
    address: str = ""
    user_agent: str = ""
    issuer: str = ""
    provider_subject: str = ""
    provider_session: str = ""

    @classmethod
    def begin(
        cls, user: User, carrier: Carrier, now: datetime, lifetime: Lifetime, known: Identified | None, **where: str
    ) -> Self:
        """A new session of somebody who has just shown who they are."""
        return cls(
            id=secrets.token_hex(8),
            user_id=user.id,
            user=user.name,
            generation=user.generation,
            carrier=carrier,
            groups=known.groups if known else (),
            created_at=now,
            seen_at=now,
            ends_at=now + lifetime.absolute,
            idle=lifetime.idle,
            issuer=known.issuer if known else "",
            provider_subject=known.subject if known else "",
            provider_session=known.session if known else "",
            **where,
        )

    @property
    def expires_at(self) -> datetime:
        """When it is over if nobody comes back."""
        return min(self.ends_at, self.seen_at + self.idle)

    def is_over(self, now: datetime) -> bool:
        """Whether it lay idle for too long, or has lasted for too long."""
        return now >= self.expires_at

    def seen(self, now: datetime) -> Self:
        """The same, used now. What is over stays over, and a clock that was set back takes nothing away."""
        return self if self.is_over(now) or now <= self.seen_at else replace(self, seen_at=now)

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to keep that somebody is here."""
        return now - self.seen_at >= min(TOUCH_EVERY, self.idle / 4)


def new_secret(carrier: Carrier) -> str:
    """A new secret of 256 bits."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return BEARER_PREFIX + secret if carrier is Carrier.BEARER else secret


def secret_hash(secret: str) -> str:
    """What a session is kept under."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(secret: str) -> str:
    """What a page of ours sends along with the cookie: other sites cannot know it, and it opens nothing by itself."""
    return urlsafe_b64encode(hmac.digest(_bytes(secret), _CSRF, "sha256")).decode().rstrip("=")


def is_csrf_token(token: str, secret: str) -> bool:
    """Whether the token belongs to the session of this secret; takes the same time for every wrong one."""
    return hmac.compare_digest(_bytes(token), csrf_token(secret).encode())


def _bytes(header: str) -> bytes:
    """Of a header, which may be no text at all."""
    return header.encode(errors="surrogatepass")

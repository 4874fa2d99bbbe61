"""What the control plane signs and agents verify: which bytes, and how a signature travels. Pure: no cryptography here.

Signed are what it is about, the place that it is for, and the digest of the very bytes that travel. So a signature is
good for no other use, no other scope and no other app/environment.
"""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import Enum
from typing import Self

SIGNATURE_HEADER = "trimtab-signature"
"""Of a message on the broker; the field of an event. Of an HTTP answer: `Trimtab-Signature: <key>:<signature>`."""
KEY_HEADER = "trimtab-key"
HTTP_HEADER = "Trimtab-Signature"

SIGNATURE_BYTES = 64
KEY_BYTES = 32
MAX_KID = 64
MAX_SIGNATURES = 8
"""In one header: a list of keys is signed by each of them."""


class About(Enum):
    """What a signature is about."""

    MESSAGE = b"trimtab 1 message"
    """The place is the routing key."""
    SNAPSHOT = b"trimtab 1 snapshot"
    """The place is `app/environment`."""
    KEYS = b"trimtab 1 keys"
    """The place is empty."""
    CACHE = b"trimtab 1 cache"
    """The place is the name under which it is kept."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature and the id of the key that made it."""

    kid: str
    raw: bytes

    def __str__(self) -> str:
        """The form that `parse` reads."""
        return f"{self.kid}:{encoded(self.raw)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one.

        Raises:
            ValueError: it is none.
        """
        kid, _, signature = text.strip().partition(":")
        return cls.of(kid, signature)

    @classmethod
    def of(cls, kid: str, signature: str) -> Self:
        """Read one whose parts travel apart.

        Raises:
            ValueError: it is none.
        """
        raw = decoded(signature, SIGNATURE_BYTES)
        if not (0 < len(kid) <= MAX_KID and kid.isascii() and kid.isprintable()):
            msg = "no id of a key"
            raise ValueError(msg)
        return cls(kid, raw)


def signed_bytes(about: About, place: str, body: bytes) -> bytes:
    """What is signed. A place holds no NUL, so nothing can be moved from one part into another."""
    return b"\0".join((about.value, place.encode("utf-8", "surrogatepass"), hashlib.sha256(body).digest()))


def encoded(raw: bytes) -> str:
    """Bytes as they travel."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str, length: int) -> bytes:
    """Read what `encoded` wrote, of so many bytes.

    Raises:
        ValueError: it is something else.
    """
    if len(text) > length * 2:
        msg = "too long"
        raise ValueError(msg)
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeError) as error:
        msg = "not base64url"
        raise ValueError(msg) from error
    if len(raw) != length:
        msg = f"not {length} bytes"
        raise ValueError(msg)
    return raw


def signatures_in(header: str) -> list[Signature]:
    """Those of a header; what cannot be read is left out."""
    found = []
    for each in header.split(",")[:MAX_SIGNATURES]:
        try:
            found.append(Signature.parse(each))
        except ValueError:
            continue
    return found


def signature_in(kid: object, text: object) -> Signature | None:
    """One whose parts travel apart; None for none, and for what is none."""
    try:
        return Signature.of(str(kid), str(text)) if kid and text else None
    except ValueError:
        return None

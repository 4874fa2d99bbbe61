"""Configs that an agent holds and cannot understand, on the way to the fleet's view and to gates."""

from dataclasses import dataclass
from typing import Self

from shared.domain.codec import Json
from shared.domain.scope import is_key

MAX_UNSUPPORTED = 100
"""Configs that one report names, those that changed last before others."""
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A config that yields its baseline (or default) because a newer program wrote it, as of which change, and why."""

    key: str
    revision: int
    reason: str

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read one, decoded.

        Raises:
            ValueError: it is none.
        """
        key, revision = document["key"], document["revision"]
        if not (isinstance(key, str) and is_key(key) and isinstance(revision, int) and revision >= 0):
            msg = "unsupported names a key and a revision"
            raise ValueError(msg)
        return cls(key, revision, str(document["reason"])[:MAX_REASON])


def unsupported_of(document: Json) -> tuple[Unsupported, ...]:
    """Read a decoded list of them; none for None.

    Raises:
        ValueError: it is too long, or one of them is none.
    """
    if len(document or ()) > MAX_UNSUPPORTED:
        msg = f"unsupported names at most {MAX_UNSUPPORTED} configs"
        raise ValueError(msg)
    return tuple(map(Unsupported.from_document, document or ()))

"""What an agent wants operators to know of itself, on the way to the fleet's view and to gates."""

from dataclasses import dataclass
from typing import Self

from shared.domain.codec import Json
from shared.wire.text import sendable

MAX_REMARKS = 50
"""Remarks in one report."""
MAX_KIND = 64
MAX_ABOUT = 300
MAX_DETAIL = 1_000


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that stands until it is withdrawn: a file set that cannot be rendered, a local override, a fallback.

    `about` names what it is about among those of its `kind`. `refuses`: the application does not get what the agent has
    applied, so gates take it for refused; `revision` is what the agent had applied when it last said so.
    """

    kind: str
    about: str
    detail: str
    since_ms: int
    refuses: bool = False
    revision: int = 0

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read one, decoded.

        Raises:
            ValueError: it is none.
        """
        since, revision = document["since_ms"], document.get("revision", 0)
        if not (isinstance(since, int) and isinstance(revision, int) and revision >= 0):
            msg = "a remark has a moment and a revision"
            raise ValueError(msg)
        return cls(
            sendable(str(document["kind"]), MAX_KIND),
            sendable(str(document["about"]), MAX_ABOUT),
            sendable(str(document["detail"]), MAX_DETAIL),
            since,
            bool(document.get("refuses", False)),
            revision,
        )


def remarks_of(document: Json) -> tuple[Remark, ...]:
    """Read a decoded list of them; none for None.

    Raises:
        ValueError: it is too long, or one of them is none.
    """
    if len(document or ()) > MAX_REMARKS:
        msg = f"a report holds at most {MAX_REMARKS} remarks"
        raise ValueError(msg)
    return tuple(map(Remark.from_document, document or ()))

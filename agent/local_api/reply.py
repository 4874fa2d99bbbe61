"""An answer as the faces of the agent give it, whatever lane it goes out by."""

from dataclasses import dataclass
from typing import NamedTuple

from shared.domain.codec import Json, encode
from shared.runtime.connection import SERVER

JSON = "application/json"


class Tally(NamedTuple):
    """What has been counted for an answer, and is counted again each time it is given again.

    The key that was read and the reason that was given; no key for a read of many at once.
    """

    key: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """One answer, known by its identity: who gives the same object again says the same. `headers` are complete but for `Content-Length`, `Date` and what is of the connection.

    Without a `tally` it must be made anew each time.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    tally: Tally | None = None


_NO_STORE = (("Content-Type", JSON), ("Cache-Control", "no-store"), ("Server", SERVER))


def fresh(document: Json) -> Reply:
    """A document that is of this moment and not to be kept."""
    return Reply(200, _NO_STORE, encode(document))

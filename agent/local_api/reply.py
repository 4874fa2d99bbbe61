"""An answer as the faces of the agent give it, whatever lane it goes out by."""

from dataclasses import dataclass

from shared.domain.codec import Json, encode
from shared.runtime.connection import SERVER

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `headers` are complete but for `Content-Length`, `Date` and what is of the connection."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


_NO_STORE = (("Content-Type", JSON), ("Cache-Control", "no-store"), ("Server", SERVER))


def fresh(document: Json) -> Reply:
    """A document that is of this moment and not to be kept."""
    return Reply(200, _NO_STORE, encode(document))

"""What the steward and the test processes say to each other: a name on one line, an answer of JSON."""

from dataclasses import asdict, dataclass

import orjson

SOCKET = "steward.sock"


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a server is, or why there is none."""

    url: str = ""
    management_url: str = ""
    error: str = ""

    def encode(self) -> bytes:
        """As the bytes of one answer."""
        return orjson.dumps(asdict(self))

    @classmethod
    def decode(cls, data: bytes) -> "Answer":
        """Read what `encode` wrote."""
        return cls(**orjson.loads(data))

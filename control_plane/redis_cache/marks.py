"""Who people are lies in Redis: marked with a key that is not there, so that whoever can write there cannot say who he is."""

import hmac
import logging
from collections.abc import Awaitable, Callable

_BYTES = 32

_log = logging.getLogger(__name__)


class Marks:
    """Marks what a replica keeps under a name, and knows it again. `key` is asked for each time; it keeps it itself."""

    def __init__(self, key: Callable[[], Awaitable[bytes]]) -> None:
        self._key = key

    async def marked(self, name: str, content: bytes) -> bytes:
        """What is kept.

        Raises:
            KeyLostError, UnavailableError: the key cannot be had.
        """
        return await self._mark(name, content) + content

    async def content(self, name: str, kept: bytes | str | None) -> bytes | None:
        """What a replica kept under this name; None for nothing, and for what somebody else put there."""
        if not isinstance(kept, bytes):
            return None
        content = kept[_BYTES:]
        if hmac.compare_digest(kept[:_BYTES], await self._mark(name, content)):
            return content
        _log.error("what lies in Redis was not put there by a replica; it is not used", extra={"kind": _kind(name)})
        return None

    async def _mark(self, name: str, content: bytes) -> bytes:
        said = b"trimtab redis\0" + name.encode() + b"\0" + content
        return hmac.digest(await self._key(), said, "sha256")


def _kind(name: str) -> str:
    """What stands under it, without whose."""
    return name.rpartition(":")[0]

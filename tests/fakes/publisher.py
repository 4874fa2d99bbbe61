"""A broker that only remembers what was published."""

from collections.abc import Sequence

import anyio
from anyio.lowlevel import checkpoint

from control_plane.domain.errors import UnavailableError


class RecordingPublisher:
    """Keeps what it confirmed, in order. `away` makes every call fail, after keeping what `leaks` says of a batch."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.away = False
        self.leaks = 0
        self.attempts = 0
        self._changed = anyio.Event()

    async def publish(self, routing_key: str, body: bytes, *, persistent: bool = True) -> None:
        await self.publish_all([(routing_key, body)], persistent=persistent)

    async def publish_all(self, batch: Sequence[tuple[str, bytes]], *, persistent: bool = True) -> None:
        del persistent
        await checkpoint()
        self.attempts += 1
        kept = batch[: self.leaks] if self.away else batch
        self.sent += kept
        self._changed.set()
        self._changed = anyio.Event()
        if self.away:
            dependency = "broker"
            raise UnavailableError(dependency, "stopped by the test")

    async def wait_for(self, count: int) -> None:
        """Return once this many messages have been sent."""
        with anyio.fail_after(5):
            while len(self.sent) < count:
                await self._changed.wait()

    async def wait_for_attempts(self, count: int) -> None:
        """Return once publishing has been tried this often."""
        with anyio.fail_after(5):
            while self.attempts < count:
                await self._changed.wait()

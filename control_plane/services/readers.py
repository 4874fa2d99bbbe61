"""The agents that follow this replica by SSE: each frame is encoded once, and reaches only whom it concerns."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from anyio.lowlevel import checkpoint

from shared.domain.scope import Level, Lineage, Scope
from shared.wire import sse
from shared.wire.messages import ChangeMessage, Heartbeat
from shared.wire.signature import Signature
from shared.wire.topology import routing_key

_log = logging.getLogger(__name__)

Sign = Callable[[str, bytes], Signature]
"""Signs a message that travels under a routing key."""
Deliver = Callable[[bytes], None]
"""Takes one HTTP chunk that holds one SSE frame. Must not block."""

_SLICE = 500
"""Readers written to before others get their turn on the event loop."""


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    lineage: Lineage
    deliver: Deliver


class Readers:
    """Who reads which scope. A reader that fails is dropped, and never stands in the way of another."""

    def __init__(self, sign: Sign | None = None) -> None:
        self._sign = sign
        self._by_scope: dict[Scope, dict[_Reader, None]] = {}

    @contextmanager
    def subscribe(self, lineage: Lineage, deliver: Deliver) -> Iterator[None]:
        """Deliver what concerns a lineage until the block ends."""
        reader = _Reader(lineage, deliver)
        for scope in lineage:
            self._by_scope.setdefault(scope, {})[reader] = None
        try:
            yield
        finally:
            self._leave(reader)

    def send_change(self, message: ChangeMessage) -> None:
        """Deliver a change to the readers of its scope, at once."""
        if readers := self._by_scope.get(message.scope):
            frame = self.frame("change", message.encode(), routing_key(message.scope))
            self._deliver(list(readers), sse.chunk(frame))

    async def send_heartbeats(self, heartbeat: Callable[[Lineage], Heartbeat]) -> None:
        """Deliver its heartbeat to each lineage that has readers."""
        for scope in [each for each in self._by_scope if each.level is Level.ENVIRONMENT]:
            readers = list(self._by_scope.get(scope, ()))
            if readers:
                body = heartbeat(readers[0].lineage).encode()
                chunk = sse.chunk(self.frame("heartbeat", body, routing_key(scope)))
                for start in range(0, len(readers), _SLICE):
                    self._deliver(readers[start : start + _SLICE], chunk)
                    await checkpoint()

    def frame(self, event: str, body: bytes, place: str) -> bytes:
        """A message as an event, signed if we can."""
        if self._sign is None:
            return sse.frame(event, body)
        return sse.signed_frame(event, body, place, self._sign(place, body))

    def _deliver(self, readers: Iterable[_Reader], chunk: bytes) -> None:
        for reader in readers:
            try:
                reader.deliver(chunk)
            except Exception:  # noqa: BLE001 - one reader's fault must not reach the commit nor another reader
                _log.exception("a reader of the feed failed; it gets no more")
                self._leave(reader)

    def _leave(self, reader: _Reader) -> None:
        for scope in reader.lineage:
            if (readers := self._by_scope.get(scope)) is not None:
                readers.pop(reader, None)
                if not readers:
                    del self._by_scope[scope]

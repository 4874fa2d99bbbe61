"""A bell for one listener: rings that come before it looks melt into one, and only the highest number counts."""

from typing import Self

import anyio


class Bell:
    """An endless iterator over rings. Waiting for the next one may be cancelled and tried again; no ring is lost."""

    def __init__(self) -> None:
        self._rung: int | None = None
        self._event = anyio.Event()

    def ring(self, number: int) -> None:
        """Wake the listener; it hears the highest number since it last listened."""
        self._rung = number if self._rung is None else max(self._rung, number)
        self._event.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        while self._rung is None:
            self._event = anyio.Event()
            await self._event.wait()
        number, self._rung = self._rung, None
        return number

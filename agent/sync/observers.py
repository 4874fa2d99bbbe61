"""Who wants to know at once: called one after the other, in the task that changed something."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Observer: TypeAlias = Callable[[], None]
"""Called after something worth telling changed; it must be quick and must not block."""


class Observers:
    """Those of one thing."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[Observer] = []

    def tell(self) -> None:
        """Something changed."""
        for observer in tuple(self._all):
            observer()

    @contextmanager
    def observe(self, observer: Observer) -> Iterator[None]:
        """Have `observer` called at each change until the block ends."""
        self._all.append(observer)
        try:
            yield
        finally:
            self._all.remove(observer)

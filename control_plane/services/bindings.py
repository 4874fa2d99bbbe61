"""What people, groups and machines were granted: the book of roles and bindings as this replica knows it.

It is kept in memory and looked at again after a second, so that a grant and its end take effect everywhere within two.
While the database is away, what was known holds.
"""

from collections.abc import Sequence

import anyio

from control_plane.domain.access.binding import Book
from control_plane.domain.access.principal import Grant
from control_plane.domain.errors import UnavailableError
from control_plane.ports.access import AccessBook
from shared.runtime.clock import Clock

FRESH_SECONDS = 1.0
"""How old what this replica knows may be."""


class Bindings:
    """Knows the grants of everybody."""

    def __init__(self, store: AccessBook, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._book: Book | None = None
        self._looked = 0.0
        self._reading = anyio.Lock()

    async def of(self, subject: str, groups: Sequence[str] = ()) -> tuple[Grant, ...]:
        """What was granted to a subject, and to the groups that it is in.

        Raises:
            UnavailableError: the database is away, and was from the start.
        """
        return (await self.book()).grants(subject, groups)

    async def book(self) -> Book:
        """All roles and bindings, at most `FRESH_SECONDS` old.

        Raises:
            UnavailableError: as above.
        """
        book = self._book
        if book is not None and self._clock.monotonic() - self._looked < FRESH_SECONDS:
            return book
        async with self._reading:
            if self._book is book or self._book is None or self._clock.monotonic() - self._looked >= FRESH_SECONDS:
                await self._look()
            return self._known()

    async def fresh(self) -> Book:
        """All roles and bindings as they are now.

        Raises:
            UnavailableError: the database is away.
        """
        async with self._reading:
            self._book = await self._store.read()
            self._looked = self._clock.monotonic()
            return self._book

    def forget(self) -> None:
        """Look again at the next request."""
        self._looked = self._clock.monotonic() - FRESH_SECONDS

    async def _look(self) -> None:
        begun = self._clock.monotonic()
        try:
            if self._book is None or await self._store.revision() != self._book.revision:
                self._book = await self._store.read()
        except UnavailableError:
            if self._book is None:
                raise
        self._looked = begun

    def _known(self) -> Book:
        if self._book is None:  # read or raised above
            raise UnavailableError("postgresql", "nothing is known of roles yet")  # noqa: EM101 - a name
        return self._book

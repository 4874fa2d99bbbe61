"""The last few changes that a replica saw, so that the relay beside it need not read them from the database."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from shared.wire.messages import ChangeMessage, Put

CHANGES = 256
"""Changes kept at most."""

LARGEST = 64 * 1024
"""Bytes of values up to which a change is kept; a larger one is read from the database."""


class Recent:
    """Whole changes by revision."""

    def __init__(self) -> None:
        self._changes: OrderedDict[int, Sequence[ChangeMessage]] = OrderedDict()

    def add(self, revision: int, messages: Sequence[ChangeMessage]) -> None:
        """Keep a change, unless it is large."""
        if _size(messages) <= LARGEST:
            self._changes[revision] = messages
            if len(self._changes) > CHANGES:
                self._changes.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them."""
        self._changes.clear()

    def after(self, revision: int, limit: int) -> list[ChangeMessage]:
        """The messages of at most `limit` changes after `revision`, up to the first one that is not here."""
        found: list[ChangeMessage] = []
        for following in range(revision + 1, revision + 1 + limit):
            if (messages := self._changes.get(following)) is None:
                break
            found += messages
        return found


def _size(messages: Iterable[ChangeMessage]) -> int:
    return sum(len(each.entry.value) for message in messages for each in message.operations if isinstance(each, Put))

"""Put the messages of the feeds into order and together: which change may become visible next, and what is missing.

Pure: no I/O, no clock. It never holds the snapshot; it is asked with the revisions that are applied now.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.scope import Lineage, Revisions, Scope
from shared.wire.messages import ChangeMessage, Put, relevant_scopes

MAX_MESSAGES = 10_000
"""Messages that may wait. Who has more to catch up than this is better off with one fetch."""

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of values that may wait; the agent has to stay small."""

_OVERHEAD = 200
"""What a message weighs beside its values; roughly."""

_NONE = Revisions()


class Need(StrEnum):
    """What stands in the way of the next change."""

    NOTHING = "nothing"
    PARTS = "parts"
    """Other messages of the same change; they are probably on their way."""
    GAP = "gap"
    """A message that is lost, or dropped because too many waited: fetch."""
    VALUES = "values"
    """Sensitive values, which do not travel in messages: fetch."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: apply `change` (all its messages at once), or else see to `need`.

    `expected` is what a snapshot must cover for the need to be gone.
    """

    change: tuple[ChangeMessage, ...] = ()
    need: Need = Need.NOTHING
    expected: Revisions = _NONE


_DONE = Step()


class Assembly:
    """Bounded buffer of messages by change.

    Changes leave it in commit order, whole, each on top of exactly what its messages say was there before.
    """

    def __init__(self, lineage: Lineage, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self._lineage = lineage
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._pending: dict[int, dict[Scope, ChangeMessage]] = {}
        self._messages = self._bytes = 0
        self._lost = Revisions()

    def add(self, message: ChangeMessage, applied: Revisions) -> None:
        """Take a message in; what is applied, held or none of our business already is dropped."""
        if message.scope not in self._lineage or message.revision <= applied[self._lineage.index(message.scope)]:
            return
        parts = self._pending.setdefault(message.revision, {})
        if message.scope in parts:
            return
        parts[message.scope] = message
        self._messages += 1
        self._bytes += _weight(message)
        if self._messages > self._max_messages or self._bytes > self._max_bytes:
            self._overflow()

    def next(self, applied: Revisions) -> Step:
        """The next step from what is applied now."""
        self._forget(applied)
        if not applied.covers(self._lost):
            return Step(need=Need.GAP, expected=self._lost)
        if not self._pending:
            return _DONE
        parts = self._pending[min(self._pending)]
        return self._step(parts, applied)

    def clear(self) -> None:
        """Drop everything that waits."""
        self._pending.clear()
        self._messages = self._bytes = 0

    def __len__(self) -> int:
        """How many messages wait."""
        return self._messages

    def _step(self, parts: dict[Scope, ChangeMessage], applied: Revisions) -> Step:
        expected = self._expected(parts, applied)
        if any(each.previous != applied[self._lineage.index(each.scope)] for each in parts.values()):
            return Step(need=Need.GAP, expected=expected)
        if any(each.withholds_values for each in parts.values()):
            return Step(need=Need.VALUES, expected=expected)
        if any(scope not in parts for scope in self._missing(parts, applied)):
            return Step(need=Need.PARTS, expected=expected)
        return Step(change=tuple(parts.values()), expected=expected)

    def _missing(self, parts: dict[Scope, ChangeMessage], applied: Revisions) -> Iterator[Scope]:
        """The scopes of the change that concern us and are not there yet."""
        message = next(iter(parts.values()))
        for scope in relevant_scopes(message, self._lineage):
            if applied[self._lineage.index(scope)] < message.revision:
                yield scope

    def _expected(self, parts: dict[Scope, ChangeMessage], applied: Revisions) -> Revisions:
        expected = list(applied)
        for message in parts.values():
            for scope in relevant_scopes(message, self._lineage):
                index = self._lineage.index(scope)
                expected[index] = max(expected[index], message.revision)
        return Revisions(*expected)

    def _forget(self, applied: Revisions) -> None:
        """Drop what was applied by another way: by a fetch, or by the other feed."""
        for revision in [each for each in self._pending if each <= applied.latest]:
            parts = self._pending[revision]
            for scope in [each for each in parts if revision <= applied[self._lineage.index(each)]]:
                self._messages -= 1
                self._bytes -= _weight(parts.pop(scope))
            if not parts:
                del self._pending[revision]

    def _overflow(self) -> None:
        lost = list(self._lost)
        for revision, parts in self._pending.items():
            for scope in parts:
                index = self._lineage.index(scope)
                lost[index] = max(lost[index], revision)
        self._lost = Revisions(*lost)
        self.clear()


def _weight(message: ChangeMessage) -> int:
    return _OVERHEAD + sum(len(each.entry.value) for each in message.operations if isinstance(each, Put))

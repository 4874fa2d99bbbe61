"""One immutable snapshot of an app/environment, and how a document or messages lead to the next one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from shared.domain.entry import Entry
from shared.domain.program import Program
from shared.domain.resolution import Effective, resolve, resolve_all
from shared.domain.scope import Level, Lineage, Revisions
from shared.wire.messages import ChangeMessage, Delete
from shared.wire.snapshot import SnapshotDocument, SnapshotItem


class RejectedError(Exception):
    """What came cannot be applied; the snapshot stays as it is."""


class BehindError(RejectedError):
    """It is older than what we have: a replica that lags, or a control plane that was set back."""


class DivergedError(RejectedError):
    """The result would not be what the control plane says it is: some earlier step went wrong."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that one app/environment sees at one moment. A reader that holds one never sees anything else change.

    `scopes` are the live entries of the three levels, `digests` their digests, `effective` what answers for each key, and
    `program` decides what that yields for whoever asks. `unresolved` are keys that refer to secrets which cannot be had,
    and why.
    """

    app_id: str
    environment: str
    revisions: Revisions
    scopes: tuple[Mapping[str, Entry], Mapping[str, Entry], Mapping[str, Entry]]
    digests: tuple[int, int, int]
    effective: Mapping[str, Effective] = field(repr=False)
    program: Program = field(default_factory=Program, repr=False, compare=False)
    unresolved: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def revision(self) -> int:
        """The last change that touched this snapshot: the agent's applied revision."""
        return self.revisions.latest

    @property
    def lineage(self) -> Lineage:
        """The three scopes."""
        return Lineage.of(self.app_id, self.environment)

    @classmethod
    def empty(cls, app_id: str, environment: str) -> Self:
        """What an agent knows before it has heard anything."""
        return cls(app_id, environment, Revisions(), ({}, {}, {}), (0, 0, 0), {})

    def after(self, document: SnapshotDocument) -> "Snapshot":
        """The snapshot that a fetched document leads to.

        Raises:
            RejectedError: it is for another app/environment.
            BehindError: it is behind what we have.
            DivergedError: the result's digests are not those of the document.
        """
        if (document.app_id, document.environment) != (self.app_id, self.environment):
            msg = f"a snapshot of {document.app_id}/{document.environment}, ours is {self.app_id}/{self.environment}"
            raise RejectedError(msg)
        if not document.revisions.covers(self.revisions):
            msg = f"a snapshot at {tuple(document.revisions)}, we are at {tuple(self.revisions)} already"
            raise BehindError(msg)
        base: tuple[Mapping[str, Entry], ...] = ({}, {}, {}) if document.full else self.scopes
        digests = (0, 0, 0) if document.full else self.digests
        return self._next(document.revisions, base, digests, document.items, document.digests)

    def after_messages(self, messages: Iterable[ChangeMessage]) -> "Snapshot":
        """The snapshot after one change: all its messages that concern us, in any order.

        Raises:
            DivergedError: a scope's digest is not the one that its message gives.
        """
        revisions, expected = list(self.revisions), list(self.digests)
        items: list[SnapshotItem] = []
        for message in messages:
            index = self.lineage.index(message.scope)
            revisions[index], expected[index] = message.revision, message.digest
            items.extend(items_of(message))
        return self._next(Revisions(*revisions), self.scopes, self.digests, items, tuple(expected))

    def _next(
        self,
        revisions: Revisions,
        base: tuple[Mapping[str, Entry], ...],
        digests: tuple[int, ...],
        items: Iterable[SnapshotItem],
        expected: tuple[int, ...],
    ) -> "Snapshot":
        levels = tuple(Level)
        touched: dict[int, dict[str, Entry]] = {}
        state = list(digests)
        keys: set[str] = set()
        for item in items:
            index = levels.index(item.level)
            entries = touched.get(index)
            if entries is None:
                entries = touched[index] = dict(base[index])
            if (old := entries.pop(item.key, None)) is not None:
                state[index] ^= old.digest
            if item.entry is not None:
                entries[item.key] = item.entry
                state[index] ^= item.entry.digest
            keys.add(item.key)
        if tuple(state) != tuple(expected):
            msg = f"digests at {tuple(revisions)} are {state}, the control plane's are {list(expected)}"
            raise DivergedError(msg)
        global_, app, environment = (touched.get(index, base[index]) for index in range(3))
        if base is not self.scopes:
            effective: Mapping[str, Effective] = resolve_all(global_, app, environment)
            program = Program.of(effective)
        else:
            effective = dict(self.effective)
            for key in keys:
                if (found := resolve(key, global_, app, environment)) is None:
                    effective.pop(key, None)
                else:
                    effective[key] = found
            program = self.program.after(effective, keys)
        return Snapshot(
            self.app_id,
            self.environment,
            revisions,
            (global_, app, environment),
            (state[0], state[1], state[2]),
            effective,
            program,
        )

    def document(self) -> SnapshotDocument:
        """This snapshot as a whole document."""
        items = (
            SnapshotItem(level, entry.key, entry, entry.version, entry.revision)
            for level, entries in zip(Level, self.scopes, strict=True)
            for entry in entries.values()
        )
        return SnapshotDocument(self.app_id, self.environment, self.revisions, self.digests, True, tuple(items))

    def delta(self, messages: Iterable[ChangeMessage]) -> SnapshotDocument:
        """The document that says the same as the messages that led to this snapshot."""
        items = tuple(item for message in messages for item in items_of(message))
        return SnapshotDocument(self.app_id, self.environment, self.revisions, self.digests, False, items)


def items_of(message: ChangeMessage) -> Iterable[SnapshotItem]:
    """What a message changes, as the items of a document."""
    level = message.scope.level
    for each in message.operations:
        if isinstance(each, Delete):
            yield SnapshotItem(level, each.key, None, each.version, message.revision)
        else:
            entry = each.entry
            yield SnapshotItem(level, entry.key, entry, entry.version, message.revision)

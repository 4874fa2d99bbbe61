"""A document of configs against what stands: what an import would create, update, delete, keep and refuse. Pure."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from control_plane.domain.change import Op, Operation
from shared.domain.entry import Kind
from shared.domain.scope import Scope

FORMAT = 1
"""The number of the document's format, under the name `trimtab`."""


class Secrets(StrEnum):
    """What an export does with sensitive values."""

    OMIT = "omit"
    """Leave them out."""
    SEAL = "seal"
    """Encrypt them with the control plane's seal key."""


class OnConflict(StrEnum):
    """What an import does with an entry that somebody else has made or changed."""

    REFUSE = "refuse"
    """Nothing at all: the import is refused."""
    OVERWRITE = "overwrite"
    """The document wins."""
    KEEP = "keep"
    """What stands wins."""


class Effect(StrEnum):
    """What becomes of one entry."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    KEPT = "kept"
    MISSING = "missing"
    """A sensitive value that neither the document nor the installation has."""
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Place:
    """A scope that is registered. `description` is its application's."""

    scope: Scope
    description: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry as it stands, or the tombstone of one. `value` is canonical JSON, of sensitive ones too."""

    scope: Scope
    key: str
    kind: Kind
    value: bytes
    sensitive: bool
    description: str
    owner: str
    labels: Mapping[str, str]
    revision: int = 0
    deleted: bool = False

    @property
    def stands(self) -> bool:
        """Whether it has anything of its own that a document can hold; a rollout alone is none."""
        return not self.deleted and self.kind is not Kind.INHERIT


@dataclass(frozen=True, slots=True)
class Exported:
    """An export that is being read: each place is followed by its entries, all in order."""

    installation: UUID
    revision: int
    rows: AsyncIterator[Place | Standing]


@dataclass(frozen=True, slots=True)
class State:
    """What stands under some keys, tombstones too, all at one revision."""

    installation: UUID
    revision: int
    registered: frozenset[Scope]
    entries: Mapping[tuple[Scope, str], Standing]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry as a document has it. `value` None: a sensitive value that was left out, of whatever kind is here."""

    pointer: str
    scope: Scope
    key: str
    kind: Kind
    value: bytes | None
    sensitive: bool
    description: str
    owner: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Document:
    """What to import. `scopes` are those that it speaks about; `installation` and `revision` say where it was taken."""

    entries: tuple[Wanted, ...]
    scopes: frozenset[Scope]
    places: tuple[Place, ...]
    installation: UUID | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one entry. `differs` names the members that an update alters."""

    effect: Effect
    scope: Scope
    key: str
    pointer: str
    detail: str = ""
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The operations that an import comes to, with what becomes of each entry. `unchanged` are only counted."""

    operations: tuple[Operation, ...]
    outcomes: tuple[Outcome, ...]
    unchanged: int
    revision: int
    unregistered: tuple[Place, ...] = ()

    def of(self, effect: Effect) -> list[Outcome]:
        """The outcomes of one kind."""
        return [each for each in self.outcomes if each.effect is effect]


@dataclass(slots=True)
class Planner:
    """Compares a document with what stands.

    What a document of this very installation was taken at is the common ground: an entry conflicts only if it moved
    since. A document from elsewhere has no common ground with us, so whatever is there and differs conflicts.
    """

    document: Document
    state: State
    on_conflict: OnConflict
    prune: bool
    _operations: list[Operation] = field(default_factory=list)
    _outcomes: list[Outcome] = field(default_factory=list)
    _unchanged: int = 0

    def plan(self) -> Plan:
        """Go through the document, then through what it does not name."""
        for wanted in self.document.entries:
            self._consider(wanted)
        if self.prune:
            self._prune()
        missing = tuple(each for each in self.document.places if each.scope not in self.state.registered)
        return Plan(tuple(self._operations), tuple(self._outcomes), self._unchanged, self.state.revision, missing)

    def _consider(self, wanted: Wanted) -> None:
        current = self.state.entries.get((wanted.scope, wanted.key))
        live = current if current is not None and current.stands else None
        if wanted.value is None:
            if live is None or live.kind is Kind.MASK:
                detail = "the document leaves the sensitive value out, and there is none here: set it by hand"
                self._tell(Effect.MISSING, wanted, detail)
                return
            wanted = replace(wanted, kind=live.kind, value=live.value)
        differs = _differences(wanted, live)
        if live is not None and not differs:
            self._unchanged += 1
        elif current is not None and self._moved(current, foreign=live is not None):
            self._meet(wanted, differs, live)
        else:
            self._put(wanted, differs, live)

    def _meet(self, wanted: Wanted, differs: tuple[str, ...], live: Standing | None) -> None:
        """An entry that somebody else changed: as the caller decided."""
        if self.on_conflict is OnConflict.OVERWRITE:
            self._put(wanted, differs, live)
            return
        effect = Effect.KEPT if self.on_conflict is OnConflict.KEEP else Effect.CONFLICT
        was = "deleted" if live is None else "changed"
        detail = f"it was {was} since the document was taken" if self._ours else "it is there already, and differs"
        self._outcomes.append(Outcome(effect, wanted.scope, wanted.key, wanted.pointer, detail, differs))

    def _put(self, wanted: Wanted, differs: tuple[str, ...], live: Standing | None) -> None:
        op = Op.MASK if wanted.kind is Kind.MASK else Op.PUT
        self._operations.append(
            Operation(
                op,
                wanted.scope,
                wanted.key,
                wanted.value or b"",
                wanted.sensitive,
                wanted.description,
                owner=wanted.owner,
                labels=wanted.labels,
                kind=Kind.VALUE if op is Op.MASK else wanted.kind,
            )
        )
        effect = Effect.CREATED if live is None else Effect.UPDATED
        self._outcomes.append(
            Outcome(effect, wanted.scope, wanted.key, wanted.pointer, "", differs if live is not None else ())
        )

    def _prune(self) -> None:
        named = {(each.scope, each.key) for each in self.document.entries}
        for place, entry in sorted(self.state.entries.items(), key=lambda each: (str(each[0][0]), each[0][1])):
            if not entry.stands or place in named or entry.scope not in self.document.scopes:
                continue
            self._delete(entry)

    def _delete(self, entry: Standing) -> None:
        pointer = pointer_of(entry.scope)
        if self._moved(entry, foreign=False) and self.on_conflict is not OnConflict.OVERWRITE:
            effect = Effect.KEPT if self.on_conflict is OnConflict.KEEP else Effect.CONFLICT
            detail = "it was made or changed since the document was taken, which does not name it"
            self._outcomes.append(Outcome(effect, entry.scope, entry.key, pointer, detail))
            return
        op = Op.UNMASK if entry.kind is Kind.MASK else Op.DELETE
        self._operations.append(Operation(op, entry.scope, entry.key))
        self._outcomes.append(Outcome(Effect.DELETED, entry.scope, entry.key, pointer))

    def _moved(self, current: Standing, *, foreign: bool) -> bool:
        """Whether it moved since the document was taken; `foreign` is the answer for a document from elsewhere."""
        if not self._ours or self.document.revision is None:
            return foreign
        return current.revision > self.document.revision

    @property
    def _ours(self) -> bool:
        return self.document.installation == self.state.installation and self.document.revision is not None

    def _tell(self, effect: Effect, wanted: Wanted, detail: str) -> None:
        self._outcomes.append(Outcome(effect, wanted.scope, wanted.key, wanted.pointer, detail))


def pointer_of(scope: Scope, key: str | None = None) -> str:
    """The JSON Pointer of a scope's configs, or of one of them, in a document. Names and keys need no escapes."""
    tail = "" if key is None else f"/{key}"
    return "".join(f"/{each}" for each in path_of(scope)) + tail


def path_of(scope: Scope) -> tuple[str, ...]:
    """The names on the way to a scope's configs in a document."""
    if scope.app_id is None:
        return ("global", "configs")
    if scope.environment is None:
        return ("apps", scope.app_id, "configs")
    return ("apps", scope.app_id, "environments", scope.environment, "configs")


def _differences(wanted: Wanted, live: Standing | None) -> tuple[str, ...]:
    if live is None:
        return ()
    pairs = {
        "kind": (wanted.kind, live.kind),
        "value": (wanted.value or b"", live.value),
        "sensitive": (wanted.sensitive, live.sensitive),
        "description": (wanted.description, live.description),
        "owner": (wanted.owner, live.owner),
        "labels": (dict(wanted.labels), dict(live.labels)),
    }
    return tuple(name for name, (theirs, ours) in pairs.items() if theirs != ours)

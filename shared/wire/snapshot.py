"""The snapshot document: what an agent fetches over HTTP, whole or as the delta since the revisions that it has.

A delta lists every entry that changed since then, deleted ones as tombstones. A whole snapshot (`full`) lists the
live entries and replaces what the reader had.
"""

from dataclasses import dataclass
from typing import Self

from shared.domain.codec import Json, MalformedJsonError, decode, encode, fragment
from shared.domain.entry import Entry, digest_text, known_kind, parse_digest
from shared.domain.scope import Level, Revisions, is_key, is_name
from shared.wire.messages import rollout_of, value_of

SCHEMA = 1
_MOST = 2**63 - 1
"""The largest number that the database counts to."""


class MalformedSnapshotError(ValueError):
    """The bytes are not a snapshot document."""


@dataclass(frozen=True, slots=True)
class SnapshotItem:
    """One entry of a snapshot document, or with `entry` None a tombstone."""

    level: Level
    key: str
    entry: Entry | None
    version: int
    revision: int


@dataclass(frozen=True, slots=True)
class SnapshotDocument:
    """What an app/environment sees, or what changed in it since the revisions that were asked for.

    `revisions` and `digests` say what the reader is at once it has applied the document. `stale` is set when the
    database was away and the answer may be behind.
    """

    app_id: str
    environment: str
    revisions: Revisions
    digests: tuple[int, int, int]
    full: bool
    items: tuple[SnapshotItem, ...]
    stale: bool = False

    def encode(self) -> bytes:
        """The document's bytes."""
        return encode(self.document())

    def document(self) -> dict[str, Json]:
        """The document, to be encoded; `entries` come in the order of the items."""
        return {
            "schema": SCHEMA,
            "app_id": self.app_id,
            "environment": self.environment,
            "revision": self.revisions.latest,
            "revisions": dict(self.revisions.by_level()),
            "digests": {level.value: digest_text(each) for level, each in zip(Level, self.digests, strict=True)},
            "full": self.full,
            "stale": self.stale,
            "entries": [_item_document(each) for each in self.items],
        }

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a document.

        Raises:
            MalformedSnapshotError: it is not one, or of another schema major.
        """
        try:
            document = decode(body)
        except MalformedJsonError as error:
            msg = f"not a snapshot document: {type(error).__name__}: {error}"
            raise MalformedSnapshotError(msg) from error
        return cls.read(document)

    @classmethod
    def read(cls, document: Json) -> Self:
        """Read one that is decoded already.

        Raises:
            MalformedSnapshotError: as above.
        """
        try:
            return cls._from(document)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            msg = f"not a snapshot document: {type(error).__name__}: {error}"
            raise MalformedSnapshotError(msg) from error

    @classmethod
    def _from(cls, document: Json) -> Self:
        if document["schema"] != SCHEMA:
            msg = f"schema {document['schema']!r}, this reader knows {SCHEMA}"
            raise ValueError(msg)
        app_id, environment = document["app_id"], document["environment"]
        if not (is_name(app_id) and is_name(environment)):
            msg = f"{app_id!r}/{environment!r} is not an app/environment"
            raise ValueError(msg)
        revisions = Revisions(*(_count(document["revisions"][level]) for level in Level))
        global_, app, own = (parse_digest(document["digests"][level]) for level in Level)
        return cls(
            app_id=app_id,
            environment=environment,
            revisions=revisions,
            digests=(global_, app, own),
            full=document["full"] is True,
            items=tuple(_item(each) for each in document["entries"]),
            stale=document.get("stale") is True,
        )


def _item_document(item: SnapshotItem) -> Json:
    document: dict[str, Json] = {
        "level": item.level,
        "key": item.key,
        "version": item.version,
        "revision": item.revision,
    }
    if item.entry is None:
        return document | {"deleted": True}
    document["kind"] = item.entry.kind
    if item.entry.sensitive:
        document["sensitive"] = True
    if item.entry.value:
        document["value"] = fragment(item.entry.value)
    if item.entry.rollout:
        document["rollout"] = fragment(item.entry.rollout)
    return document


def _count(number: Json) -> int:
    if type(number) is not int or not 0 <= number <= _MOST:
        msg = f"{number!r} is not a count"
        raise ValueError(msg)
    return number


def _item(document: Json) -> SnapshotItem:
    key, version, revision = document["key"], _count(document["version"]), _count(document["revision"])
    if not is_key(key):
        msg = f"{key!r} is not a key"
        raise ValueError(msg)
    entry = None
    if document.get("deleted") is not True:
        kind, sensitive = known_kind(document["kind"]), document.get("sensitive") is True
        entry = Entry(key, kind, value_of(kind, document), version, revision, sensitive, rollout_of(document))
    return SnapshotItem(Level(document["level"]), key, entry, version, revision)

"""The bytes of every read: built when they are first asked for, kept for as long as they stay true."""

import hashlib
from dataclasses import dataclass

from agent.local_api.freshness import Freshness
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.codec import Json, encode, fragment
from shared.domain.resolution import Effective

MAX_PREFIXES = 64
"""Documents of a prefix that are kept for one snapshot; more are built again each time."""

_NULL = b"null"


@dataclass(frozen=True, slots=True)
class Body:
    """An answer's bytes and their strong ETag."""

    content: bytes
    etag: str

    @classmethod
    def of(cls, content: bytes) -> "Body":
        """Give the bytes their tag: equal bytes have equal tags, in every agent and after every restart."""
        return cls(content, f'"{hashlib.blake2b(content, digest_size=8).hexdigest()}"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about one config. It stays true while the effective entry and the reason are the same."""

    effective: Effective
    stale: bool
    config: Body
    value: Body

    @property
    def sensitive(self) -> bool:
        """Whether the value is for authorised readers only."""
        return self.effective.entry.sensitive


class Answers:
    """Keeps answers by key and whole documents by prefix; every document is of one snapshot."""

    def __init__(self, store: SnapshotStore, freshness: Freshness) -> None:
        self._store, self._freshness = store, freshness
        self._by_key: dict[str, Answer] = {}
        self._documents: dict[tuple[str, bool, bool], Body] = {}
        self._documents_of: Snapshot | None = None

    def one(self, key: str) -> Answer | None:
        """The answer for a key, or None where there is no such config."""
        effective = self._store.current.effective.get(key)
        return None if effective is None else self._answer(key, effective, self._freshness.stale())

    def many(self, prefix: str, *, sensitive: bool) -> Body:
        """All configs whose keys start with `prefix`; sensitive values only if they may be shown."""
        snapshot, stale = self._store.current, self._freshness.stale()
        if snapshot is not self._documents_of:
            self._documents, self._documents_of = {}, snapshot
        wanted = (prefix, sensitive, stale)
        if (body := self._documents.get(wanted)) is None:
            body = self._document(snapshot, prefix, stale=stale, sensitive=sensitive)
            if len(self._documents) < MAX_PREFIXES:
                self._documents[wanted] = body
        return body

    def swapped(self, _old: Snapshot, new: Snapshot) -> None:
        """Forget answers about configs that are gone."""
        if len(self._by_key) > len(new.effective):
            self._by_key = {key: answer for key, answer in self._by_key.items() if key in new.effective}

    def _answer(self, key: str, effective: Effective, stale: bool) -> Answer:  # noqa: FBT001 - the hot path
        answer = self._by_key.get(key)
        if answer is None or answer.effective is not effective or answer.stale is not stale:
            value = effective.entry.value
            answer = Answer(effective, stale, Body.of(resolution(effective, value, stale=stale)), Body.of(value))
            self._by_key[key] = answer
        return answer

    def _document(self, snapshot: Snapshot, prefix: str, *, stale: bool, sensitive: bool) -> Body:
        configs: dict[str, Json] = {}
        for key in sorted(each for each in snapshot.effective if each.startswith(prefix)):
            effective = snapshot.effective[key]
            if effective.entry.sensitive and not sensitive:
                configs[key] = fragment(resolution(effective, _NULL, stale=stale))
            else:
                configs[key] = fragment(self._answer(key, effective, stale).config.content)
        head = {"app_id": snapshot.app_id, "environment": snapshot.environment, "revision": snapshot.revision}
        return Body.of(encode(head | {"configs": configs}))


def resolution(effective: Effective, value: bytes, *, stale: bool) -> bytes:
    """A config's answer. The reason is one of OpenFeature's; a plain value has no variant."""
    level, entry = effective.level, effective.entry
    return encode(
        {
            "key": entry.key,
            "value": fragment(value),
            "variant": None,
            "reason": "STALE" if stale else "STATIC",
            "version": entry.version,
            "revision": entry.revision,
            "scope": level,
            "sensitive": entry.sensitive,
        }
    )

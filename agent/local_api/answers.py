"""The bytes of every answer: built once for each possible outcome, kept for as long as they stay true."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter

from agent.local_api.freshness import Freshness
from agent.snapshot.durations import BULKY, QUICK, Durations
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.domain.codec import Json, encode, fragment
from shared.domain.context import EvaluationContext
from shared.domain.resolution import Reason, Resolution
from shared.runtime.clock import Clock

MAX_PREFIXES = 64
"""Documents of a prefix that are kept for one snapshot; more are built again each time."""
FEW = 8
"""Configs of which one document is kept for each way in which they come out together: there are not many."""
MAX_WAYS = 1_000
"""Ways that are kept for one snapshot; then all are forgotten."""
MAX_OUTCOMES = 10_000
"""Outcomes of rules whose bytes are kept for one snapshot; more are built again each time."""

TIMED_EVERY = 64
"""Evaluations of single configs, or of a few, of which one, in the mean, is timed: two looks at the clock cost as much as one of them."""

_NULL = b"null"
_STALE = "STALE"
"""OpenFeature's word for what may be old; evaluation itself never says it."""

REASONS = (*(each.value for each in Reason), _STALE)
"""All that an answer may give."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """An answer's bytes and their strong ETag, known by its identity."""

    content: bytes
    etag: str

    @classmethod
    def of(cls, content: bytes) -> "Body":
        """Give the bytes their tag: equal bytes have equal tags, in every agent and after every restart."""
        return cls(content, f'"{hashlib.blake2b(content, digest_size=8).hexdigest()}"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about one outcome. It stays true while the resolution is the same object, and as stale as it was."""

    resolution: Resolution
    stale: bool
    reason: str
    config: Body
    value: Body
    public: Body
    """What others get of a config whose value is for authorised readers only; of any other the same as `config`."""
    sensitive: bool
    """Whether the value is for authorised readers only."""

    @property
    def has_value(self) -> bool:
        """Whether there is anything to serve."""
        return bool(self.resolution.value)


@dataclass(frozen=True, slots=True)
class _Document:
    """A document of many configs, and between which moments (unix milliseconds) the clock changes nothing of it."""

    body: Body
    since_ms: int
    until_ms: int | None

    def holds(self, now_ms: int) -> bool:
        return now_ms >= self.since_ms and (self.until_ms is None or now_ms < self.until_ms)


class Answers:
    """Keeps the bytes of outcomes and of whole documents; every document is of one snapshot and one moment."""

    def __init__(
        self, store: SnapshotStore, freshness: Freshness, clock: Clock, own: EvaluationContext, reasons: Counter[str]
    ) -> None:
        self._store, self._freshness, self._clock, self._own = store, freshness, clock, own
        self._reasons = reasons
        self.single, self.documents = Durations(QUICK), Durations(BULKY)
        self._until_timed = 1
        self._constants: dict[str, Answer] = {}
        self._outcomes: dict[Resolution, Answer] = {}
        self._documents: dict[tuple[str, bool, bool], _Document] = {}
        self._ways: dict[tuple[Body, ...], Body] = {}
        self._documents_of: Snapshot | None = None
        self._keys: tuple[str, ...] = ()
        self._keys_of: Snapshot | None = None

    def constant(self, key: str) -> Answer | None:
        """The answer for a key that is the same for everybody at any time; None if it is not, or if there is none."""
        resolution = self._store.current.program.constant(key)
        if resolution is None:
            return None
        stale, answer = self._freshness.stale(), self._constants.get(key)
        if answer is None or answer.resolution is not resolution or answer.stale is not stale:
            answer = self._constants[key] = _answer(resolution, stale=stale)
        return answer

    def one(self, key: str, context: EvaluationContext) -> Answer | None:
        """The answer for a key and whoever asks, or None where there is no such config."""
        resolution = self.resolved(key, context)
        return None if resolution is None else self._answer(resolution, stale=self._freshness.stale())

    def resolved(self, key: str, context: EvaluationContext) -> Resolution | None:
        """What a key yields for whoever asks now, or None where there is no such config."""
        self._until_timed -= 1
        if not self._until_timed:
            return self._timed(key, context)
        program = self._store.current.program
        return program.evaluate(key, context, self.now_ms if program.keeps_time else 0)

    def _timed(self, key: str, context: EvaluationContext) -> Resolution | None:
        """Evaluate, and see how long it takes."""
        self._until_timed = _some()
        program, now_ms = self._store.current.program, self.now_ms
        began = perf_counter()
        resolution = program.evaluate(key, context, now_ms)
        self.single.add(perf_counter() - began)
        return resolution

    def many(self, prefix: str, *, sensitive: bool) -> Body:
        """All configs whose keys start with `prefix`, for the agent itself; sensitive values only if they may be shown."""
        snapshot, stale, now_ms = self._store.current, self._freshness.stale(), self.now_ms
        self._forget_of_others(snapshot)
        wanted = (prefix, sensitive, stale)
        document = self._documents.get(wanted)
        if document is None or not document.holds(now_ms):
            body = self._document(snapshot, self._named(snapshot, prefix), self._own, now_ms, sensitive=sensitive)
            document = _Document(body, now_ms, snapshot.program.next_moment(now_ms))
            if len(self._documents) < MAX_PREFIXES:
                self._documents[wanted] = document
        return document.body

    def asked(self, prefix: str, context: EvaluationContext, *, sensitive: bool) -> Body:
        """The same for who asks."""
        snapshot = self._store.current
        return self._document(snapshot, self._named(snapshot, prefix), context, self.now_ms, sensitive=sensitive)

    def evaluated(self, keys: Sequence[str] | None, context: EvaluationContext, *, sensitive: bool) -> Body:
        """These configs (None: all) for who asks; of one that there is not, what its error is."""
        snapshot = self._store.current
        if keys is not None and len(keys) <= FEW and (known := self._known_way(keys, context, sensitive=sensitive)):
            return known
        wanted = self._named(snapshot, "") if keys is None else list(dict.fromkeys(keys))
        return self._document(snapshot, wanted, context, self.now_ms, sensitive=sensitive, told=keys is not None)

    def swapped(self, _old: Snapshot, new: Snapshot) -> None:
        """Forget answers that nobody will get any more."""
        self._outcomes.clear()
        if len(self._constants) > len(new.effective):
            self._constants = {key: each for key, each in self._constants.items() if key in new.effective}

    @property
    def now_ms(self) -> int:
        """This moment."""
        return self._clock.now_ms()

    def _named(self, snapshot: Snapshot, prefix: str) -> Sequence[str]:
        if self._keys_of is not snapshot:
            self._keys, self._keys_of = tuple(sorted(snapshot.effective)), snapshot
        return [each for each in self._keys if each.startswith(prefix)] if prefix else self._keys

    def _answer(self, resolution: Resolution, *, stale: bool) -> Answer:
        answer = self._outcomes.get(resolution)
        if answer is None or answer.stale is not stale:
            answer = _answer(resolution, stale=stale)
            if len(self._outcomes) < MAX_OUTCOMES:
                self._outcomes[resolution] = answer
        return answer

    def _document(
        self,
        snapshot: Snapshot,
        keys: Sequence[str],
        context: EvaluationContext,
        now_ms: int,
        *,
        sensitive: bool,
        told: bool = False,
    ) -> Body:
        began, stale = perf_counter(), self._freshness.stale()
        found, configs, reasons, answer_of = list[str](), list[Body](), list[str](), self._outcomes.get
        for key, resolution in zip(keys, snapshot.program.each(keys, context, now_ms), strict=True):
            if resolution is None:
                if told:
                    found.append(key)
                    reasons.append(Reason.ERROR.value)
                    configs.append(_unknown(key))
                continue
            answer = answer_of(resolution)
            if answer is None or answer.stale is not stale:
                answer = self._answer(resolution, stale=stale)
            found.append(key)
            reasons.append(answer.reason)
            configs.append(answer.config if sensitive else answer.public)
        body = self._few(snapshot, found, configs) if len(configs) <= FEW else _joined(snapshot, found, configs)
        for reason in reasons:
            self._reasons[reason] += 1
        self.documents.add(perf_counter() - began)
        return body

    def _known_way(self, keys: Sequence[str], context: EvaluationContext, *, sensitive: bool) -> Body | None:
        """The document of a few configs for the way in which they come out; None if it has to be made, or to be timed."""
        self._until_timed -= 1
        if not self._until_timed:
            self._until_timed = _some()
            return None
        snapshot, stale = self._store.current, self._freshness.stale()
        if snapshot is not self._documents_of:
            return None
        way, reasons, outcomes = list[Body](), list[str](), self._outcomes
        for resolution in snapshot.program.each(keys, context, self.now_ms):
            answer = None if resolution is None else outcomes.get(resolution)
            if answer is None or answer.stale is not stale:
                return None
            way.append(answer.config if sensitive else answer.public)
            reasons.append(answer.reason)
        body = self._ways.get(tuple(way))
        if body is not None:
            for reason in reasons:
                self._reasons[reason] += 1
        return body

    def _few(self, snapshot: Snapshot, keys: Sequence[str], configs: Sequence[Body]) -> Body:
        self._forget_of_others(snapshot)
        way = tuple(configs)
        body = self._ways.get(way)
        if body is None:
            if len(self._ways) >= MAX_WAYS:
                self._ways.clear()
            body = self._ways[way] = _joined(snapshot, keys, configs)
        return body

    def _forget_of_others(self, snapshot: Snapshot) -> None:
        if snapshot is not self._documents_of:
            self._documents, self._ways, self._documents_of = {}, {}, snapshot


def _some() -> int:
    """How many more until one is timed: any number, since readers may have a rhythm."""
    return random.randint(1, 2 * TIMED_EVERY - 1)  # noqa: S311 - no secret


def _joined(snapshot: Snapshot, keys: Iterable[str], configs: Sequence[Body]) -> Body:
    """A document of configs by their keys. Its tag is made of theirs: to look at all the bytes takes longer than to decide."""
    head = encode({"app_id": snapshot.app_id, "environment": snapshot.environment, "revision": snapshot.revision})
    members = [b'"%b":%b' % (key.encode(), each.content) for key, each in zip(keys, configs, strict=True)]
    tag = Body.of(head + "".join([each.etag for each in configs]).encode()).etag
    return Body(b'%b,"configs":{%b}}' % (head[:-1], b",".join(members)), tag)


def _answer(resolution: Resolution, *, stale: bool) -> Answer:
    value = resolution.value or _NULL
    reason, sensitive = said(resolution, stale=stale), resolution.effective.entry.sensitive
    config = Body.of(written(resolution, value, stale=stale))
    public = Body.of(written(resolution, _NULL, stale=stale)) if sensitive else config
    return Answer(resolution, stale, reason, config, Body.of(value), public, sensitive)


@lru_cache(maxsize=256)
def _unknown(key: str) -> Body:
    return Body.of(encode({"key": key, "error": "FLAG_NOT_FOUND"}))


def written(resolution: Resolution, value: bytes, *, stale: bool) -> bytes:
    """A config's answer."""
    level, entry = resolution.effective.level, resolution.effective.entry
    document: dict[str, Json] = {
        "key": entry.key,
        "value": fragment(value),
        "variant": resolution.variant,
        "reason": said(resolution, stale=stale),
        "version": entry.version,
        "revision": entry.revision,
        "scope": level,
        "sensitive": entry.sensitive,
    }
    if resolution.effective.local:
        document["override"] = True
    if resolution.error is not None:
        document["error"] = resolution.error
    if resolution.rollout is not None:
        document |= {"rollout": resolution.rollout, "arm": resolution.arm}
    return encode(document)


def said(resolution: Resolution, *, stale: bool) -> str:
    """The reason, one of OpenFeature's; of what no rule decided, STALE says that it may be old."""
    return _STALE if stale and resolution.reason is Reason.STATIC else resolution.reason.value

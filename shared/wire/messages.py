"""The two messages that travel from the control plane to agents, over the broker and over SSE alike.

A `ChangeMessage` is one change in one scope. A `Heartbeat` says, every few seconds, what an app/environment's scopes
should be at, so that an agent that lost something, or holds something different, notices. Unknown fields are ignored;
an unknown schema major is refused, and the reader resyncs over HTTP.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from shared.domain.codec import Json, MalformedJsonError, canonical, decode, encode, fragment
from shared.domain.entry import WITH_VALUE, Entry, Kind, digest_text, known_kind, parse_digest
from shared.domain.scope import Lineage, Scope, is_key

SCHEMA = 1
"""Major number of the messages' form. A reader refuses any other."""


WITHOUT_VALUE = frozenset({Kind.MASK, Kind.INHERIT})


class MalformedMessageError(ValueError):
    """The bytes are not a message of ours."""


class UnsupportedSchemaError(ValueError):
    """A message of another schema major: newer than this reader, or older than it still knows."""


@dataclass(frozen=True, slots=True)
class Put:
    """The entry now stands in the scope. A sensitive value does not travel: `entry.value` is empty then."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Delete:
    """No entry of this key stands in the scope any more."""

    key: str
    version: int


Operation: TypeAlias = Put | Delete


@dataclass(frozen=True, slots=True)
class ChangeMessage:
    """What one change did to one scope.

    `previous` is the last revision that touched this scope before; `scopes` are all scopes of the change; `digest`
    is the scope's digest after it.
    """

    revision: int
    previous: int
    scope: Scope
    scopes: tuple[Scope, ...]
    committed_at: datetime
    digest: int
    operations: tuple[Operation, ...]

    @property
    def withholds_values(self) -> bool:
        """Whether a sensitive value was left out, so that the reader has to fetch it."""
        return any(isinstance(each, Put) and each.entry.sensitive for each in self.operations)

    def encode(self) -> bytes:
        """The message's bytes."""
        return encode(
            {
                "schema": SCHEMA,
                "type": "change",
                "revision": self.revision,
                "previous": self.previous,
                "scope": str(self.scope),
                "scopes": [str(scope) for scope in self.scopes],
                "committed_at": self.committed_at,
                "digest": digest_text(self.digest),
                "operations": [_operation_document(each) for each in self.operations],
            }
        )


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What a scope is at: the last revision that touched it, and the digest of its live entries."""

    revision: int = 0
    digest: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the three scopes of an app/environment are at, and when to expect the next word (`interval`, seconds).

    `revision` is that of the whole installation: everything up to it was sent before this heartbeat.
    """

    revision: int
    global_: ScopeState
    app: ScopeState
    environment: ScopeState
    interval: float

    def encode(self) -> bytes:
        """The message's bytes."""
        return encode(
            {
                "schema": SCHEMA,
                "type": "heartbeat",
                "revision": self.revision,
                "global": _state_document(self.global_),
                "app": _state_document(self.app),
                "environment": _state_document(self.environment),
                "interval": self.interval,
            }
        )


Message: TypeAlias = ChangeMessage | Heartbeat


def decode_message(body: bytes) -> Message:
    """Read a message.

    Raises:
        UnsupportedSchemaError: its schema major is not ours.
        MalformedMessageError: it is not a message.
    """
    try:
        document = decode(body)
        _require_schema(document["schema"])
        match document["type"]:
            case "change":
                return _change(document)
            case "heartbeat":
                return Heartbeat(
                    revision=_count(document["revision"]),
                    global_=_state(document["global"]),
                    app=_state(document["app"]),
                    environment=_state(document["environment"]),
                    interval=_seconds(document["interval"]),
                )
            case other:
                msg = f"type {other!r} is not one of ours"
                raise MalformedMessageError(msg)
    except UnsupportedSchemaError:
        raise
    except (MalformedJsonError, LookupError, TypeError, ValueError, AttributeError) as error:
        msg = f"not a message: {type(error).__name__}: {error}"
        raise MalformedMessageError(msg) from error


def _require_schema(schema: Json) -> None:
    if schema != SCHEMA:
        msg = f"schema {schema!r}, this reader knows {SCHEMA}"
        raise UnsupportedSchemaError(msg)


def _change(document: Json) -> ChangeMessage:
    revision, previous = _count(document["revision"]), _count(document["previous"])
    scope, scopes = Scope.parse(document["scope"]), tuple(Scope.parse(each) for each in document["scopes"])
    if previous >= revision or scope not in scopes:
        msg = f"revision {revision} of {scope} after {previous} over {[str(each) for each in scopes]} cannot be"
        raise ValueError(msg)
    return ChangeMessage(
        revision=revision,
        previous=previous,
        scope=scope,
        scopes=scopes,
        committed_at=datetime.fromisoformat(document["committed_at"]),
        digest=parse_digest(document["digest"]),
        operations=tuple(_operation(each, revision) for each in document["operations"]),
    )


def _operation_document(operation: Operation) -> Json:
    if isinstance(operation, Delete):
        return {"op": "delete", "key": operation.key, "version": operation.version}
    entry = operation.entry
    document: dict[str, Json] = {"op": "put", "key": entry.key, "kind": entry.kind, "version": entry.version}
    if entry.sensitive:
        document["sensitive"] = True
        return document
    if entry.value:
        document["value"] = fragment(entry.value)
    if entry.rollout:
        document["rollout"] = fragment(entry.rollout)
    return document


def _operation(document: Json, revision: int) -> Operation:
    key, version = document["key"], _count(document["version"])
    if not is_key(key):
        msg = f"{key!r} is not a key"
        raise ValueError(msg)
    match document["op"]:
        case "delete":
            return Delete(key, version)
        case "put":
            kind, sensitive = known_kind(document["kind"]), document.get("sensitive") is True
            if sensitive:
                return Put(Entry(key, kind, b"", version, revision, sensitive))
            return Put(Entry(key, kind, value_of(kind, document), version, revision, rollout=rollout_of(document)))
        case other:
            msg = f"operation {other!r} is not one of ours"
            raise ValueError(msg)


def value_of(kind: str, document: Json) -> bytes:
    """An entry's value in a document; what a kind of a newer version has is taken as it comes."""
    if kind in WITH_VALUE:
        return canonical(document["value"])
    return canonical(document["value"]) if "value" in document and kind not in WITHOUT_VALUE else b""


def rollout_of(document: Json) -> bytes:
    """An entry's rollout in a document."""
    return canonical(document["rollout"]) if "rollout" in document else b""


def _state_document(state: ScopeState) -> Json:
    return [state.revision, digest_text(state.digest)]


def _state(document: Json) -> ScopeState:
    revision, digest = document
    return ScopeState(_count(revision), parse_digest(digest))


def _count(number: Json) -> int:
    if type(number) is not int or number < 0:
        msg = f"{number!r} is not a count"
        raise ValueError(msg)
    return number


def _seconds(number: Json) -> float:
    if type(number) not in {int, float} or not 0 < number < float("inf"):
        msg = f"{number!r} is not a number of seconds"
        raise ValueError(msg)
    return float(number)


def relevant_scopes(message: ChangeMessage, lineage: Lineage) -> tuple[Scope, ...]:
    """The scopes of the message's change that an app/environment of this lineage sees."""
    return tuple(scope for scope in lineage if scope in message.scopes)

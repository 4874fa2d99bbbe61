"""What an entry of each kind holds: read strictly before it is written, what it refers to, and all that it can yield."""

from collections.abc import Iterator
from typing import NamedTuple

from control_plane.domain.change import Op, Operation
from shared.domain.codec import Json, canonical, decode
from shared.domain.compaction import compacted as compacted_condition
from shared.domain.condition import MAX_VALUES, parse_segment
from shared.domain.document import DocumentError, child
from shared.domain.entry import Kind
from shared.domain.flag import Flag, parse_flag
from shared.domain.secret_reference import MEMBER, mentions, reference_faults
from shared.wire.problem import Violation

SEGMENT = "segment:"
"""What stands before the key of a segment where references are stored; no key has a colon."""

_CANDIDATE = "/rollout/candidate"
_REFERENCE = f'{{"{MEMBER}":'.encode()
_NULL = "null"
_TYPES = {
    b"{": "object",
    b"[": "array",
    b'"': "string",
    b"t": "boolean",
    b"f": "boolean",
    b"n": _NULL,
}


class Reference(NamedTuple):
    """A place at which a condition refers to a segment, or to what another config yields."""

    pointer: str
    key: str
    segment: bool

    @property
    def stored(self) -> str:
        """The reference as it is kept beside its entry."""
        return SEGMENT + self.key if self.segment else self.key


class Yield(NamedTuple):
    """Something that an entry can yield (canonical JSON), what it is called, and where in the entry it stands."""

    name: str
    pointer: str
    value: bytes


def key_of(stored: str) -> str:
    """The key of a stored reference."""
    return stored.removeprefix(SEGMENT)


def member_of(kind: str) -> str:
    """The member of a request or an answer that has the document of an entry of this kind."""
    return kind if kind in {Kind.FLAG, Kind.SEGMENT} else "value"


def content_violations(kind: str, key: str, value: bytes, pointer: str) -> Iterator[Violation]:
    """What is wrong with a document of this kind."""
    try:
        if kind == Kind.SEGMENT:
            parse_segment(decode(value), pointer)
        elif kind == Kind.FLAG:
            yield from _mixed_types(parse_flag(decode(value), key, pointer), pointer)
        if kind != Kind.SEGMENT and mentions(value):
            yield from (Violation(*each) for each in reference_faults(decode(value), pointer))
    except DocumentError as error:
        yield from (Violation(each.pointer, each.detail) for each in error.faults)


def candidate_violations(operation: Operation, pointer: str) -> Iterator[Violation]:
    """What is wrong with the candidate that an operation exposes."""
    if not operation.rollout:
        return
    exposed = decode(operation.rollout)
    kind, candidate = exposed["kind"], canonical(exposed["candidate"])
    if operation.kind is not Kind.INHERIT and (kind == Kind.SEGMENT) is not (operation.kind is Kind.SEGMENT):
        yield Violation(pointer + _CANDIDATE, f"is a {kind}, and what it is to take the place of is a {operation.kind}")
    yield from content_violations(kind, operation.key, candidate, pointer + _CANDIDATE)


def compacted(document: bytes) -> bytes:
    """A flag or a segment in which lists of texts that are too long for `values` are lists of `members`."""
    if document.count(b",") <= MAX_VALUES:
        return document
    return canonical(_compacted(decode(document)))


def _compacted(document: Json) -> Json:
    match document:
        case {"when": when}:
            return document | {"when": compacted_condition(when)}
        case {"rules": [*rules]}:
            return document | {"rules": [_compacted(each) for each in rules]}
        case _:
            return document


def references(operation: Operation) -> Iterator[Reference]:
    """All that the rules of an operation's entry refer to; pointers are those of the operation's members."""
    if operation.op not in {Op.PUT, Op.ROLLOUT}:
        return
    if operation.kind in {Kind.FLAG, Kind.SEGMENT} and operation.value:
        yield from _in_document(operation.kind, decode(operation.value), f"/{operation.kind}")
    if operation.rollout:
        exposure = decode(operation.rollout)
        yield from _in_condition(exposure.get("when"), "/rollout/when")
        yield from _in_document(exposure.get("kind"), exposure.get("candidate"), _CANDIDATE)


def stored_references(operation: Operation) -> tuple[str, ...]:
    """The references of an operation's entry as they are kept beside it, each once."""
    if operation.kind is Kind.VALUE and not operation.rollout:
        return ()
    return tuple(dict.fromkeys(each.stored for each in references(operation)))


def yields(kind: str, value: bytes, rollout: bytes = b"") -> Iterator[Yield]:
    """All that an entry can yield by itself: its value, its variants, and those of its rollout's candidate."""
    if kind == Kind.VALUE and value:
        yield Yield("", "", value)
    elif kind == Kind.FLAG and value:
        yield from _variants(decode(value), "", "")
    if rollout:
        exposure = decode(rollout)
        if exposure.get("kind") == Kind.FLAG:
            yield from _variants(exposure["candidate"], _CANDIDATE, "the candidate, ")
        elif exposure.get("kind") == Kind.VALUE:
            yield Yield("the candidate", _CANDIDATE, canonical(exposure["candidate"]))


def _variants(flag: Json, pointer: str, name: str) -> Iterator[Yield]:
    for variant, value in flag["variants"].items():
        yield Yield(f"{name}variant {variant!r}", child(f"{pointer}/variants", variant), canonical(value))


def _mixed_types(flag: Flag, pointer: str) -> Iterator[Violation]:
    """Readers expect one type of one config; null is of any."""
    expected = _type(flag.variants[flag.default])
    for name, value in flag.variants.items():
        found = _type(value)
        if expected == _NULL:
            expected = found
        if found not in {expected, _NULL}:
            detail = f"is of the type {found}, others of the type {expected}: the variants of a flag have one type"
            yield Violation(child(f"{pointer}/variants", name), detail)


def _type(value: bytes) -> str:
    if value.startswith(_REFERENCE):
        return _NULL  # nobody here knows what it stands for
    return _TYPES.get(value[:1], "number")


def _in_document(kind: Json, document: Json, pointer: str) -> Iterator[Reference]:
    if not isinstance(document, dict):
        return
    if kind == Kind.SEGMENT:
        yield from _in_condition(document.get("when"), f"{pointer}/when")
    elif kind == Kind.FLAG:
        for index, rule in enumerate(document.get("rules", ())):
            yield from _in_condition(rule.get("when"), f"{pointer}/rules/{index}/when")


def _in_condition(condition: Json, pointer: str) -> Iterator[Reference]:
    match condition:
        case {"segment": str(key)}:
            yield Reference(f"{pointer}/segment", key, segment=True)
        case {"config": str(key)}:
            yield Reference(f"{pointer}/config", key, segment=False)
        case {"all": [*parts]} | {"any": [*parts]}:
            name = "all" if "all" in condition else "any"
            for index, part in enumerate(parts):
                yield from _in_condition(part, f"{pointer}/{name}/{index}")
        case {"not": part}:
            yield from _in_condition(part, f"{pointer}/not")
        case _:
            pass

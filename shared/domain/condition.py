"""Conditions: what must hold of who asks. Read strictly, so that none is left that matches by mistake."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shared.domain.codec import Json
from shared.domain.document import Faults, child
from shared.domain.members import MalformedMembersError, decode_members
from shared.domain.operators import EXISTS, OF_NUMBERS, OF_TEXTS, OPERATORS
from shared.domain.scope import is_key
from shared.domain.split import MAX_ATTRIBUTE, TARGETING_KEY

GROUPS = "groups"
"""The attribute that is a list of texts."""
MAX_DEPTH = 10
"""Conditions within conditions."""
MAX_CONDITIONS = 500
"""Conditions of one document, with all that are within them."""
MAX_VALUES = 1_000
"""Values of one condition; a longer list of texts is written as `members`."""
MAX_PATTERNS = 20
"""Regular expressions of one document: each takes time to compile, and memory as long as it may be used."""

_FORMS = "must have one of `attribute`, `segment`, `config`, `all`, `any`, `not`"
_OPS = (*OPERATORS, EXISTS)
_TEXTS = frozenset({TARGETING_KEY, GROUPS})


@dataclass(frozen=True, slots=True)
class OfAttribute:
    """What must hold of an attribute of the context."""

    attribute: str
    op: str
    values: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class OfMembers:
    """An attribute is in a long list, or an element of it is."""

    attribute: str
    digests: Sequence[int]


@dataclass(frozen=True, slots=True)
class OfSegment:
    """Who asks belongs to a segment."""

    key: str


@dataclass(frozen=True, slots=True)
class OfConfig:
    """What must hold of what another config yields for who asks: a prerequisite."""

    key: str
    op: str
    values: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class All:
    """All of these hold; they are looked at in order, up to the first that does not."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Any of these holds; they are looked at in order, up to the first that does."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    part: "Condition"


Condition: TypeAlias = OfAttribute | OfMembers | OfSegment | OfConfig | All | AnyOf | Not
"""A condition that was read."""


def parse_condition(document: Json, pointer: str = "") -> Condition:
    """Read a condition.

    Raises:
        DocumentError: it is not one; every fault is told.
    """
    faults = Faults()
    condition = _Reader(faults).condition(document, pointer, MAX_DEPTH)
    faults.refuse()
    return condition


def parse_segment(document: Json, pointer: str = "") -> Condition:
    """Read the document of a segment: its audience is `when`.

    Raises:
        DocumentError: it is not one; every fault is told.
    """
    faults = Faults()
    members = faults.members(document, pointer, ("when",))
    if isinstance(document, dict) and "when" not in members:
        faults.add(child(pointer, "when"), "must be given: the condition of who belongs to the segment")
    faults.refuse()
    return parse_condition(members["when"], child(pointer, "when"))


def refers(condition: Condition | None) -> bool:
    """Whether a condition refers to segments or to other configs."""
    match condition:
        case All(parts) | AnyOf(parts):
            return any(map(refers, parts))
        case Not(part):
            return refers(part)
        case _:
            return isinstance(condition, (OfSegment, OfConfig))


_NOBODY = AnyOf(())
"""Stands for what could not be read, until that is told."""


class _Reader:
    """Reads one document, and counts its conditions."""

    def __init__(self, faults: Faults) -> None:
        self._faults, self._left, self._patterns = faults, MAX_CONDITIONS, MAX_PATTERNS

    def condition(self, document: Json, pointer: str, depth: int) -> Condition:
        self._left -= 1
        if self._left < 0 or depth == 0:
            self._too_much(pointer, depth)
            return _NOBODY
        if not isinstance(document, dict) or not document:
            self._faults.add(pointer, f"must be a condition: an object that {_FORMS}")
            return _NOBODY
        match document:
            case {"attribute": _}:
                return self._of_attribute(document, pointer)
            case {"segment": key}:
                self._only(document, pointer, "segment")
                return OfSegment(self._key(key, child(pointer, "segment")))
            case {"config": key}:
                return OfConfig(
                    self._key(key, child(pointer, "config")), *self._comparison(document, pointer, "config")
                )
            case _:
                return self._composed(document, pointer, depth)

    def _composed(self, document: Json, pointer: str, depth: int) -> Condition:
        match document:
            case {"all": parts}:
                self._only(document, pointer, "all")
                return All(self._parts(parts, child(pointer, "all"), depth))
            case {"any": parts}:
                self._only(document, pointer, "any")
                return AnyOf(self._parts(parts, child(pointer, "any"), depth))
            case {"not": part}:
                self._only(document, pointer, "not")
                return Not(self.condition(part, child(pointer, "not"), depth - 1))
            case _:
                self._faults.add(pointer, _FORMS)
                return _NOBODY

    def _parts(self, document: Json, pointer: str, depth: int) -> tuple[Condition, ...]:
        parts = self._faults.items(document, pointer, MAX_CONDITIONS)
        return tuple(self.condition(each, f"{pointer}/{index}", depth - 1) for index, each in enumerate(parts))

    def _of_attribute(self, document: Json, pointer: str) -> Condition:
        name = self._faults.text(document["attribute"], child(pointer, "attribute"), MAX_ATTRIBUTE)
        if "members" in document:
            return self._of_members(name, document, pointer)
        op, values = self._comparison(document, pointer, "attribute")
        if name in _TEXTS and op and op != EXISTS:
            self._of_texts(name, op, values, pointer)
        return OfAttribute(name, op, values)

    def _of_texts(self, name: str, op: str, values: tuple[Json, ...], pointer: str) -> None:
        """What would never hold is a mistake, too."""
        if op in OF_TEXTS:
            for index, each in enumerate(values):
                if not isinstance(each, str):
                    self._faults.add(f"{pointer}/values/{index}", f"must be a text, as `{name}` is always")
        elif op in OF_NUMBERS:
            self._faults.add(child(pointer, "op"), f"compares numbers; `{name}` is always text")

    def _of_members(self, name: str, document: Json, pointer: str) -> Condition:
        self._only(document, pointer, "attribute", "members")
        at, text = child(pointer, "members"), document["members"]
        if not isinstance(text, str):
            self._faults.add(at, "must be a text, base64 of a list of digests")
            return _NOBODY
        try:
            return OfMembers(name, decode_members(text))
        except MalformedMembersError as error:
            self._faults.add(at, str(error))
            return _NOBODY

    def _comparison(self, document: Json, pointer: str, subject: str) -> tuple[str, tuple[Json, ...]]:
        """The operator of a condition, and its values."""
        op = self._faults.choice(document.get("op"), child(pointer, "op"), _OPS)
        if op == EXISTS:
            self._only(document, pointer, subject, "op")
            return op, ()
        self._only(document, pointer, subject, "op", "values")
        at = child(pointer, "values")
        values = self._faults.items(document.get("values"), at, MAX_VALUES)
        if op == "matches":
            self._patterns -= len(values)
        if self._patterns < 0:
            self._faults.add(at, f"are too many: a document has at most {MAX_PATTERNS} regular expressions")
            return op, ()
        for index, each in enumerate(values if op else ()):
            if (fault := OPERATORS[op].read(each)) is not None:
                self._faults.add(f"{at}/{index}", fault)
        return op, tuple(values)

    def _key(self, key: Json, pointer: str) -> str:
        if isinstance(key, str) and is_key(key):
            return key
        self._faults.add(pointer, "must be a key: 1 to 255 letters, digits, `_`, `.` and `-`")
        return ""

    def _only(self, document: Json, pointer: str, *known: str) -> None:
        self._faults.members(document, pointer, known)

    def _too_much(self, pointer: str, depth: int) -> None:
        if depth == 0:
            self._faults.add(pointer, f"is nested deeper than {MAX_DEPTH} conditions; a segment can take a part of it")
        elif self._left == -1:
            self._faults.add(pointer, f"is one too many: a document has at most {MAX_CONDITIONS} conditions")

"""What an entry holds, in requests and in answers: a value, a flag or a segment, each under its own name."""

from typing import Annotated, Any, Self, TypeAlias

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from control_plane.api.bodies.fields import Body, Value
from control_plane.domain.content import compacted, member_of
from shared.domain.codec import Json, canonical, decode, fragment
from shared.domain.entry import Kind
from shared.domain.members import decode_members

_NAMES = ("value", "flag", "segment")
LONGEST_SHOWN = 4_096
"""Characters of a list of members."""
_EXCLUSIVE = "value, flag and segment exclude each other"


def without_default(schema: dict[str, Any]) -> None:
    """No bytes at all stand for what was not given; JSON has no such thing."""
    schema.pop("default", None)


def _document(given: Json) -> bytes:
    return compacted(canonical(given))


_WHEN = {"attribute": "country", "op": "in", "values": ["SE", "NO"]}
FlagDocument: TypeAlias = Annotated[
    bytes,
    PlainValidator(_document),
    WithJsonSchema(
        {
            "type": "object",
            "description": "Named variants, and ordered rules that say who is served which.",
            "required": ["variants", "default"],
            "examples": [
                {
                    "variants": {"on": True, "off": False},
                    "default": "off",
                    "rules": [{"when": _WHEN, "serve": "on"}],
                }
            ],
        }
    ),
]
SegmentDocument: TypeAlias = Annotated[
    bytes,
    PlainValidator(_document),
    WithJsonSchema(
        {
            "type": "object",
            "description": "An audience with a name, for rules to refer to.",
            "required": ["when"],
            "examples": [{"when": _WHEN}],
        }
    ),
]


class Contents(Body):
    """What an entry is to hold: at most one of `value`, `flag` and `segment`."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": {"anyOf": [{"required": list(each)} for each in (_NAMES[:2], _NAMES[1:], _NAMES[::2])]}
        }
    )

    value: Annotated[Value, Field(json_schema_extra=without_default)] = b""
    """Any JSON."""
    flag: Annotated[FlagDocument, Field(json_schema_extra=without_default)] = b""
    """A flag: readers get one of its variants."""
    segment: Annotated[SegmentDocument, Field(json_schema_extra=without_default)] = b""
    """A segment: rules refer to it, and nobody reads it."""

    @model_validator(mode="after")
    def _exclusive(self) -> Self:
        if sum(map(bool, (self.value, self.flag, self.segment))) > 1:
            raise ValueError(_EXCLUSIVE)
        return self

    @property
    def kind(self) -> Kind:
        """What kind of entry it is."""
        return Kind.FLAG if self.flag else Kind.SEGMENT if self.segment else Kind.VALUE

    @property
    def content(self) -> bytes:
        """Its canonical JSON; empty where none was given."""
        return self.flag or self.segment or self.value


class NewContents(Contents):
    """What an entry is to hold: exactly one of `value`, `flag` and `segment`."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in _NAMES]})


def exposure(rollout: bytes, *, sensitive: bool, now_ms: int | None = None) -> Json:
    """The exposure of a candidate, as answers show it; null without one. The candidate of a secret is null.

    With a moment, also its `weight` then.
    """
    if not rollout:
        return None
    document = decode(rollout)
    told: dict[str, Json] = {"candidate": None} if sensitive else {}
    if "when" in document:
        told["when"] = shortened(document["when"])
    if now_ms is not None:
        told["weight"] = next((weight for at, weight in reversed(document["weights"]) if at <= now_ms), 0)
    return document | told


def shortened(condition: Json) -> Json:
    """A condition for people's eyes: of a long list of members only how many there are (`count`)."""
    match condition:
        case {"members": str(text), **rest} if len(text) > LONGEST_SHOWN:
            return {**rest, "count": len(decode_members(text))}
        case dict():
            return {name: shortened(each) for name, each in condition.items()}
        case list():
            return list(map(shortened, condition))
        case _:
            return condition


def contents(kind: str, value: bytes, *, sensitive: bool) -> dict[str, Json]:
    """The three members of an answer that show what an entry holds: null but for one, and all null for a secret."""
    shown: dict[str, Json] = dict.fromkeys(_NAMES)
    if value and not sensitive:
        shown[member_of(kind)] = fragment(value)
    return shown

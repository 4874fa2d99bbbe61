"""Building blocks of the request models: names, keys, texts, values."""

from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from control_plane.domain.limits import Limits
from control_plane.domain.named_snapshot import SNAPSHOT_NAME_PATTERN, is_snapshot_name
from shared.domain.codec import canonical
from shared.domain.scope import KEY_PATTERN, NAME_PATTERN, Scope, is_key, is_name

MAX_REVISION = 2**63 - 1
MAX_LABELS = 20
MAX_LABEL_NAME = 63
MAX_LABEL = 200


class Body(BaseModel):
    """A request's body: JSON types as they are, and no members that nobody reads."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class Query(BaseModel):
    """A request's query: texts that become what they should be."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _name(text: str) -> str:
    if not is_name(text):
        msg = "a name has 1 to 63 lower-case letters, digits and dashes, not a dash first"
        raise ValueError(msg)
    return text


def _key(text: str, info: ValidationInfo) -> str:
    limit = limits_of(info).key_length
    if len(text) > limit:
        msg = f"the limit key_length is {limit:,} characters"
        raise ValueError(msg)
    if not is_key(text):
        msg = "a key has letters, digits, '_', '.' and '-', and starts with none of '.-'"
        raise ValueError(msg)
    return text


def _text(text: str, info: ValidationInfo) -> str:
    limit = limits_of(info).text_length
    if len(text) > limit:
        msg = f"the limit text_length is {limit:,} characters"
        raise ValueError(msg)
    return without_nul(text)


def without_nul(text: str) -> str:
    """Refuse the one character that PostgreSQL cannot keep."""
    if "\0" in text:
        msg = "a text cannot contain the character U+0000"
        raise ValueError(msg)
    return text


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for name, value in labels.items():
        if not is_key(name) or len(name) > MAX_LABEL_NAME:
            msg = f"the name of a label looks like a key and has at most {MAX_LABEL_NAME} characters"
            raise ValueError(msg)
        if len(without_nul(value)) > MAX_LABEL:
            msg = f"the value of a label has at most {MAX_LABEL} characters"
            raise ValueError(msg)
    return labels


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        msg = "lies outside of the calendar"
        raise ValueError(msg) from error


def limits_of(info: ValidationInfo) -> Limits:
    """The limits under which a request is read."""
    return info.context if isinstance(info.context, Limits) else Limits()


Name: TypeAlias = Annotated[
    str, AfterValidator(_name), Field(json_schema_extra={"pattern": f"^{NAME_PATTERN}$", "examples": ["billing"]})
]
Key: TypeAlias = Annotated[
    str, AfterValidator(_key), Field(json_schema_extra={"pattern": f"^{KEY_PATTERN}$", "examples": ["db.pool"]})
]
Text: TypeAlias = Annotated[str, AfterValidator(_text), Field(json_schema_extra={"maxLength": Limits().text_length})]
Value: TypeAlias = Annotated[
    bytes, PlainValidator(canonical), WithJsonSchema({"description": "Any JSON.", "examples": [20]})
]
"""Any JSON, kept as canonical bytes."""
Labels: TypeAlias = Annotated[
    dict[str, str],
    AfterValidator(_labels),
    Field(max_length=MAX_LABELS, json_schema_extra={"examples": [{"ticket": "OPS-7"}]}),
]
"""Short texts by name."""
Owner: TypeAlias = Annotated[str, AfterValidator(without_nul), Field(max_length=MAX_LABEL)]
"""Who answers for something: a team, a person, an address."""
Moment: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An instant, given with its offset; read as UTC."""
Revision: TypeAlias = Annotated[int, Field(ge=0, le=MAX_REVISION)]


def _snapshot_name(text: str) -> str:
    if not is_snapshot_name(text):
        msg = "a name begins with a letter and has letters, digits, '_', '.' and '-', 100 characters at most"
        raise ValueError(msg)
    return text


SnapshotName: TypeAlias = Annotated[
    str,
    AfterValidator(_snapshot_name),
    Field(json_schema_extra={"pattern": f"^{SNAPSHOT_NAME_PATTERN}$", "examples": ["before-sale"]}),
]
"""What a named snapshot is called."""


class Placed(Body):
    """Something that stands in a scope: global, of an application, or of one of its environments."""

    app_id: Name | None = None
    """The application; null for the global scope."""
    environment: Name | None = None
    """The environment; null for the application's own scope."""

    @field_validator("environment")
    @classmethod
    def _needs_an_application(cls, environment: str | None, info: ValidationInfo) -> str | None:
        if environment is not None and info.data.get("app_id", "wrong in itself") is None:
            msg = "an environment belongs to an application: give app_id as well"
            raise ValueError(msg)
        return environment

    @property
    def scope(self) -> Scope:
        """The scope that it stands in."""
        return Scope(self.app_id, self.environment)

"""JSON Schemas of configs: which keys one is about, and how a value is held against it. Nothing is ever fetched.

A schema is JSON Schema 2020-12 over what an app/environment gets for a key in the end. Whoever writes a schema decides
how much work every later write is, so what it may ask for is bounded before it is taken (`domain/schema_cost.py`), and
its regular expressions run in an engine whose time is linear in the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Self
from uuid import UUID

import jsonschema_rs

from control_plane.domain.errors import InvalidError
from control_plane.domain.schema_cost import Shape, shape_of
from shared.domain.codec import Json, decode
from shared.domain.scope import KEY_PATTERN, Scope
from shared.wire.problem import Violation

MAX_SCHEMA_BYTES = 64 * 1024
MAX_PATTERN_LENGTH = 255
MAX_CHECKED_BYTES = 64 * 1024
"""Of a value that a schema with regular expressions is about: their time is linear in its text, but not nothing."""
MAX_REGEX_BYTES = 256 * 1024
"""Of all compiled regular expressions of a schema together."""
MAX_FOUND = 20
"""Violations that are told of one value."""

_DETAIL_LENGTH = 300
_PATTERN = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.*-]*")
_MASK = "the value"


@dataclass(frozen=True, slots=True)
class NewSchema:
    """A schema as it is asked for. `app_id` None: of all applications. `document` is canonical JSON."""

    app_id: str | None
    pattern: str
    document: bytes
    description: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema that holds for the keys of a pattern: one exact key, or one in which `*` stands for anything."""

    id: UUID
    app_id: str | None
    pattern: str
    document: bytes
    description: str
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A schema that what stands has been held against. `version` is that of the one it takes the place of, or 0."""

    id: UUID
    new: NewSchema
    version: int
    rules_revision: int
    checked_revision: int


class Checker:
    """A compiled schema."""

    def __init__(self, app_id: str | None, pattern: str, document: bytes, schema: UUID | None = None) -> None:
        """Compile a schema.

        Raises:
            InvalidError: it is no JSON Schema, or asks for more than is allowed; violations point into it.
        """
        self.app_id, self.pattern, self.schema = app_id, pattern, schema
        self._keys = re.compile("[A-Za-z0-9_.-]*".join(map(re.escape, pattern.split("*"))))
        parsed = decode(document)
        self._shape = _require_shape(document, parsed)
        self._validator = _compiled(parsed, self._shape)

    @classmethod
    def of(cls, schema: Schema) -> Self:
        """The checker of a schema that is kept."""
        return cls(schema.app_id, schema.pattern, schema.document, schema.id)

    @cached_property
    def is_exact(self) -> bool:
        """Whether it is about one key."""
        return "*" not in self.pattern

    def covers(self, key: str) -> bool:
        """Whether it is about this key."""
        return key == self.pattern if self.is_exact else self._keys.fullmatch(key) is not None

    def concerns(self, scope: Scope) -> bool:
        """Whether what stands in this scope can show in an application that it is about."""
        return self.app_id is None or scope.app_id is None or scope.app_id == self.app_id

    def violations(self, value: bytes) -> Iterator[Violation]:
        """What is wrong with a value (canonical JSON): at most `MAX_FOUND`, with pointers into it."""
        if self._shape.expressions and len(value) > MAX_CHECKED_BYTES:
            limit = f"the limit checked_bytes is {MAX_CHECKED_BYTES:,} bytes where the schema has a regular expression"
            yield Violation("", limit)
            return
        document = decode(value)
        if self._validator.is_valid(document):
            return
        for error in islice(self._validator.iter_errors(document), MAX_FOUND):
            yield Violation(pointer_of(error.instance_path), error.message[:_DETAIL_LENGTH])


def pattern_violations(pointer: str, pattern: str) -> Iterator[Violation]:
    """What is wrong with a pattern of keys, if anything."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        yield Violation(pointer, f"the limit of a pattern is {MAX_PATTERN_LENGTH} characters")
    elif "**" in pattern or _PATTERN.fullmatch(pattern) is None:
        yield Violation(pointer, f"a key such as {KEY_PATTERN}, in which one * at a time stands for anything")


def pointer_of(path: list[str | int]) -> str:
    """A JSON Pointer."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def _require_shape(document: bytes, schema: Json) -> Shape:
    if len(document) > MAX_SCHEMA_BYTES:
        raise InvalidError([Violation("", f"the limit of a schema is {MAX_SCHEMA_BYTES:,} bytes of compact JSON")])
    if not isinstance(schema, (dict, bool)):
        raise InvalidError([Violation("", "a schema is an object, true or false")])
    shape = shape_of(schema)
    if shape.violations:
        raise InvalidError(shape.violations)
    return shape


def _compiled(schema: Json, shape: Shape) -> jsonschema_rs.Draft202012Validator:
    size = MAX_REGEX_BYTES // (max(2, shape.expressions))
    expressions = jsonschema_rs.RegexOptions(size_limit=size, dfa_size_limit=MAX_REGEX_BYTES)
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, retriever=_fetch_nothing, pattern_options=expressions, mask=_MASK
        )
    except jsonschema_rs.ValidationError as error:
        pointer, detail = pointer_of(error.instance_path), error.message[:_DETAIL_LENGTH]
        if pointer.endswith("/pattern") or "patternProperties" in error.instance_path:
            detail += f" of linear time (no look-around, no back-references) that compiles to at most {size:,} bytes"
        raise InvalidError([Violation(pointer, detail)]) from error
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise InvalidError([Violation("", f"not a JSON Schema: {str(error)[:_DETAIL_LENGTH]}")]) from error


def _fetch_nothing(_uri: str) -> Json:
    msg = "schemas are fetched from nowhere"
    raise LookupError(msg)

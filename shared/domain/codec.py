"""JSON in and out: the one place that knows the library, and what canonical means."""

import math
from typing import Any, TypeAlias
from uuid import UUID

import orjson

Json: TypeAlias = Any
"""A decoded JSON document; narrowed by whoever reads it."""

MAX_DEPTH = 64
"""Nesting that a document may have. Far above any real config, far below what hurts a recursive reader."""


_EXPONENT = 1e16
"""From here on the encoder writes a float with an exponent, and no longer as digits and `.0`."""
_WIDEST = 2.0**64
"""Whole numbers from here on (negative: beyond half of it) are read as floats again."""


class MalformedJsonError(ValueError):
    """The bytes are not JSON, or JSON that could not be kept as it is (too deep, a number without a finite value)."""


def encode(document: Json) -> bytes:
    """Compact JSON. The copy matters where the result is kept: the encoder's own buffer holds about 4 kB more."""
    return bytes(memoryview(orjson.dumps(document, default=_plain)))


def encode_pretty(document: Json) -> bytes:
    """Indented JSON with sorted keys and a newline at its end, for people and for files under their eyes."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _plain(value: object) -> str:
    """Drivers have their own subclasses of UUID, which the encoder does not take for one."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


def decode(body: bytes | str) -> Json:
    """Read JSON.

    Raises:
        MalformedJsonError: it is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedJsonError(str(error)) from error


def canonical(value: Json) -> bytes:
    """The one spelling of a value: compact, keys sorted, no negative zero, large whole numbers as digits.

    Equal values give equal bytes in every process, also after PostgreSQL's jsonb has reordered keys and rewritten
    numbers; so digests, ETags and rendered files do not depend on the way by which a value came.

    Raises:
        MalformedJsonError: nested deeper than `MAX_DEPTH`, or a number that is not finite or wider than 64 bits.
    """
    try:
        text = orjson.dumps(_normal(value, MAX_DEPTH), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise MalformedJsonError(str(error)) from error
    return bytes(memoryview(text))


def fragment(canonical_json: bytes) -> orjson.Fragment:
    """Embed JSON that is encoded already into a document to encode."""
    return orjson.Fragment(canonical_json)


def _normal(value: Json, depth: int) -> Json:
    if isinstance(value, float):
        if not math.isfinite(value):
            msg = "a number has no finite value"
            raise MalformedJsonError(msg)
        if abs(value) >= _EXPONENT and -_WIDEST / 2 <= value < _WIDEST:
            return int(value)  # the database would give its digits back, which are read as an integer
        return value + 0.0  # -0.0 becomes 0.0, as in the database's numeric type
    if isinstance(value, (dict, list)):
        if depth == 0:
            msg = f"nested deeper than {MAX_DEPTH} levels"
            raise MalformedJsonError(msg)
        if isinstance(value, dict):
            return {key: _normal(item, depth - 1) for key, item in value.items()}
        return [_normal(item, depth - 1) for item in value]
    return value

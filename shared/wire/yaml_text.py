r"""JSON values as block YAML that readers of YAML 1.1 and 1.2 take for the same.

The versions retype plain words differently (`no`, `1e3`, `0o14`, `2020-01-01`), so a text stays bare only where it
starts with a letter, holds nothing but harmless characters and is none of the words that either version knows. All
other texts are double-quoted; unicode is kept, except what a reader would refuse or take for the end of a line.
"""

import re
from collections.abc import Iterator, Mapping

from shared.domain.codec import Json, encode

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*(?: [A-Za-z0-9_./+-]+)*")
_EXPONENT = re.compile(r"[eE][-+]?[0-9]+")
"""A number without its digits: some readers of YAML 1.1 take it for one all the same."""
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_MAX_SIMPLE_KEY = 1_000
"""Readers give up on a `key:` longer than 1,024 characters; longer ones take the explicit form."""


def yaml_document(values: Mapping[str, Json], header: str = "") -> bytes:
    """The mapping as a YAML document, keys in the order given at the top and sorted below."""
    if not values:
        return f"{header}{{}}\n".encode()
    lines = (line for key, value in values.items() for line in yaml_pair(key, value))
    return (header + "\n".join(lines) + "\n").encode()


def yaml_pair(key: str, value: Json, indent: int = 0) -> Iterator[str]:
    """The lines of one member of a mapping that is indented by so many spaces; sorted below."""
    pad, name = " " * indent, _scalar(key)
    if len(name) > _MAX_SIMPLE_KEY:
        yield f"{pad}? {name}"
        name = ""
    if _nested(value):
        yield f"{pad}{name}:"
        yield from _block(value, indent + 2)
    else:
        yield f"{pad}{name}: {_scalar(value)}"


def yaml_value(value: Json) -> str:
    """A value that stands alone: a scalar on its line, a list or mapping as a block that is not indented."""
    return "\n".join(_block(value, 0)) if _nested(value) else _scalar(value)


def _block(value: Json, indent: int) -> Iterator[str]:
    """The lines of a mapping or list that is not empty."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from yaml_pair(key, value[key], indent)
        return
    pad = " " * indent
    for item in value:
        if _nested(item):
            first, *rest = _block(item, indent + 2)
            yield f"{pad}- {first[indent + 2 :]}"
            yield from rest
        else:
            yield f"{pad}- {_scalar(item)}"


def _nested(value: Json) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return encode(value).decode()


def _text(text: str) -> str:
    if _BARE.fullmatch(text) and text.lower() not in _WORDS and not _EXPONENT.fullmatch(text):
        return text
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", encode(text).decode())


def _number(value: float) -> str:
    """YAML 1.1 knows a number with an exponent only by its point and the exponent's sign."""
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}{e}{exponent}"

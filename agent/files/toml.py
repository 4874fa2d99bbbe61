"""Values as TOML 1.0: a table for each object, in place within lists.

TOML has no null: a member that is null is left out, and one in a list is an error. Whole numbers have 64 bits with a sign.
"""

import re
from collections.abc import Iterator, Mapping

from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json, encode

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDEST = 2**63
_DELETE = "\x7f"


def toml_document(values: Mapping[str, Json], header: str = "") -> bytes:
    """The mapping as a TOML document.

    Raises:
        UnrenderableError: a list holds null, or a number is too large.
    """
    pairs, tables = list[str](), list[str]()
    for key, value in values.items():
        try:
            if isinstance(value, dict):
                tables += _table((key,), value)
            else:
                pairs += _pair(key, value)
        except UnrenderableError as error:
            msg = f"the value of {key!r} {error.why}"
            raise UnrenderableError(msg) from error
    # What stands below a table's head belongs to it, so the pairs come first.
    return (header + "".join(f"{line}\n" for line in pairs + tables)).encode()


def _table(path: tuple[str, ...], table: Mapping[str, Json]) -> Iterator[str]:
    inner = {name: table[name] for name in sorted(table)}
    pairs = [line for name, value in inner.items() if not isinstance(value, dict) for line in _pair(name, value)]
    tables = {name: value for name, value in inner.items() if isinstance(value, dict)}
    if pairs or not tables:
        yield ""
        yield f"[{'.'.join(map(_key, path))}]"
        yield from pairs
    for name, value in tables.items():
        yield from _table((*path, name), value)


def _pair(name: str, value: Json) -> Iterator[str]:
    if value is not None:
        yield f"{_key(name)} = {toml_value(value)}"


def toml_value(value: Json) -> str:
    """A value on one line.

    Raises:
        UnrenderableError: a list holds null, or a number is too large.
    """
    if isinstance(value, dict):
        members = (line for name in sorted(value) for line in _pair(name, value[name]))
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        if None in value:
            msg = "has null in a list, which TOML cannot say; leave it out, or use json or yaml"
            raise UnrenderableError(msg)
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not -_WIDEST <= value < _WIDEST:
        msg = "has a whole number of more than 64 bits with its sign, which TOML cannot say; make it a text"
        raise UnrenderableError(msg)
    return encode(value).decode() if isinstance(value, (bool, int)) else repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """JSON's texts are TOML's, but for one character."""
    return encode(text).decode().replace(_DELETE, "\\u007f")

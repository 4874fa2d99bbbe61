"""Values as Java's properties: one `name=value` a line, in ASCII, so that readers of Latin-1 and of UTF-8 agree."""

import re
from collections.abc import Mapping

from agent.files.flattening import Joints, flattened, text_of
from shared.domain.codec import Json

JOINTS = Joints(member="{}.{}", element="{}[{}]")
"""As Spring Boot binds them."""
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
_IN_VALUE = re.compile(r"[\\\n\r\t\f]|[^\x20-\x7e]|\A[ ]+")
_IN_NAME = re.compile(r"[\\\n\r\t\f =:#!]|[^\x20-\x7e]")


def properties_document(values: Mapping[str, Json], header: str = "", *, flatten: bool = True) -> bytes:
    """One line for each scalar in the values, or (`flatten` False) for each value.

    Raises:
        UnrenderableError: two of them would have one name.
    """
    lines = flattened(values, JOINTS) if flatten else {key: text_of(value) for key, value in values.items()}
    pairs = (f"{_IN_NAME.sub(_escaped, name)}={escaped_value(text)}\n" for name, text in lines.items())
    return (header + "".join(pairs)).encode()


def escaped_value(text: str) -> str:
    """A text as it stands behind the sign."""
    return _IN_VALUE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    text = found[0]
    if text in _SHORT:
        return _SHORT[text]
    if text.isascii() and text.isprintable():
        return "".join(f"\\{each}" for each in text)
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))

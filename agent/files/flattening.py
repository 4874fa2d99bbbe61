"""Nested values as lines, for formats that know only names and texts: one name for each member."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json, encode


@dataclass(frozen=True, slots=True)
class Joints:
    """How the name of a member is made of the name of what it is in, and of an element by its index from 0."""

    member: str
    element: str

    def named(self, parent: str, part: str | int) -> str:
        """The name of a member or element."""
        return (self.element if isinstance(part, int) else self.member).format(parent, part)


def flattened(values: Mapping[str, Json], joints: Joints) -> dict[str, str]:
    """A text for every scalar by its name; an empty object or list is an empty text, as null is.

    Raises:
        UnrenderableError: two of them would have one name.
    """
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for key, value in values.items():
        for name, text in _lines(key, value, joints):
            if name in owners:
                raise UnrenderableError(_twice(owners[name], key, name))
            owners[name], found[name] = key, text
    return found


def text_of(value: Json) -> str:
    """A value as one text: texts as they are, null as nothing, all else as compact JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else encode(value).decode()


def _lines(name: str, value: Json, joints: Joints) -> Iterator[tuple[str, str]]:
    if isinstance(value, (dict, list)) and value:
        parts = sorted(value.items()) if isinstance(value, dict) else enumerate(value)
        for part, inner in parts:
            yield from _lines(joints.named(name, part), inner, joints)
    else:
        yield name, "" if isinstance(value, (dict, list)) else text_of(value)


def _twice(first: str, second: str, name: str) -> str:
    if first == second:
        return f"two members of {first!r} would both be {name!r}; keep it whole (`flatten: false`)"
    return f"{first!r} and {second!r} would both have {name!r}; rename one of them, or keep values whole (`flatten: false`)"

"""Read documents strictly: everything that is wrong with one is told at once, each with a pointer to its place."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, TypeGuard

from shared.domain.codec import Json

MAX_FAULTS = 100
"""Faults that are told of one document; from then on it is bad enough."""


class Fault(NamedTuple):
    """What is wrong at one place of a document (an RFC 6901 pointer)."""

    pointer: str
    detail: str


class DocumentError(ValueError):
    """A document is not what it should be."""

    def __init__(self, faults: Collection[Fault]) -> None:
        super().__init__("; ".join(f"{each.pointer or '/'}: {each.detail}" for each in faults))
        self.faults = tuple(faults)


class Faults:
    """Collects what is wrong while a document is read."""

    def __init__(self) -> None:
        self._found: list[Fault] = []

    def add(self, pointer: str, detail: str) -> None:
        """Something is wrong there."""
        if len(self._found) < MAX_FAULTS:
            self._found.append(Fault(pointer, detail))

    def extend(self, error: DocumentError) -> None:
        """A part of the document was read by somebody else, who found these."""
        self._found.extend(error.faults[: MAX_FAULTS - len(self._found)])

    def refuse(self) -> None:
        """Say so if anything was wrong.

        Raises:
            DocumentError: something was.
        """
        if self._found:
            raise DocumentError(self._found)

    def members(self, document: Json, pointer: str, known: Collection[str] | None) -> Mapping[str, Any]:
        """The members of an object; none if it is no object. Unknown ones are faults unless `known` is None."""
        if not isinstance(document, dict):
            self.add(pointer, "must be an object")
            return {}
        for name in () if known is None else document.keys() - set(known):
            self.add(child(pointer, name), f"unknown member; known are {', '.join(sorted(known or ()))}")
        return document

    def items(self, document: Json, pointer: str, maximum: int) -> list[Any]:
        """The elements of a list; none if it is no list, or is empty or too long."""
        if not isinstance(document, list) or not document:
            self.add(pointer, "must be a list with at least one element")
            return []
        if len(document) > maximum:
            self.add(pointer, f"has {len(document):,} elements, the limit is {maximum:,}")
            return []
        return document

    def text(self, document: Json, pointer: str, maximum: int, *, empty: bool = False) -> str:
        """A text that is not too long; empty if it is none."""
        if not isinstance(document, str) or not (document or empty):
            self.add(pointer, "must be a text" if empty else "must be a text that is not empty")
            return ""
        if len(document) > maximum:
            self.add(pointer, f"has {len(document):,} characters, the limit is {maximum:,}")
            return ""
        return document

    def choice(self, document: Json, pointer: str, choices: Collection[str]) -> str:
        """One of some words; empty if it is none of them."""
        if isinstance(document, str) and document in choices:
            return document
        self.add(pointer, f"must be one of {', '.join(map(repr, choices))}")
        return ""

    def number(self, document: Json, pointer: str, maximum: int) -> int:
        """A whole number from 0 to `maximum`; 0 if it is none."""
        if is_whole(document) and 0 <= document <= maximum:
            return document
        self.add(pointer, f"must be a whole number from 0 to {maximum:,}")
        return 0


def is_whole(document: Json) -> TypeGuard[int]:
    """Whether it is a whole number; true and false are none."""
    return isinstance(document, int) and not isinstance(document, bool)


def child(pointer: str, name: str | int) -> str:
    """The pointer to a member or an element."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"

"""A document of configs, written piece by piece: YAML or JSON, the same bytes for the same configs.

A piece is a few lines, so the document never stands in memory as a whole. What a mapping holds is written in the order
in which it comes; only values are sorted.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from control_plane.domain.content import member_of
from control_plane.domain.transfer import FORMAT, Exported, Place, Standing, path_of
from shared.domain.codec import Json, decode, encode, encode_pretty
from shared.domain.entry import Kind
from shared.wire.yaml_text import yaml_pair

_INDENT = 2


class Writer(Protocol):
    """Writes mappings within mappings; every method gives the text that is now certain."""

    def open(self, name: str) -> str:
        """Begin a mapping that is a member of the one that is open."""
        ...

    def pair(self, name: str, value: Json) -> str:
        """A member of the mapping that is open."""
        ...

    def close(self) -> str:
        """End the mapping that is open; the last one is the document."""
        ...


class YamlWriter:
    """Block YAML. A mapping's line is held back until it is known whether there is anything in it."""

    def __init__(self) -> None:
        self._depth = 0
        self._held: str | None = None

    def open(self, name: str) -> str:
        """Begin a mapping that is a member of the one that is open."""
        text, self._held = self._release(), name
        return text

    def pair(self, name: str, value: Json) -> str:
        """A member of the mapping that is open."""
        return self._release() + _lines(name, value, self._depth)

    def close(self) -> str:
        """End the mapping that is open; the last one is the document."""
        if self._held is not None:
            name, self._held = self._held, None
            return _lines(name, {}, self._depth)
        self._depth -= 1
        return ""

    def _release(self) -> str:
        if self._held is None:
            return ""
        text = _lines(self._held, {}, self._depth).removesuffix(" {}\n") + "\n"
        self._held = None
        self._depth += 1
        return text


class JsonWriter:
    """Indented JSON. The document's own braces come with its first member and its last `close`."""

    def __init__(self) -> None:
        self._filled = [False]

    def open(self, name: str) -> str:
        """Begin a mapping that is a member of the one that is open."""
        text = f"{self._next()}{encode(name).decode()}: {{"
        self._filled.append(False)
        return text

    def pair(self, name: str, value: Json) -> str:
        """A member of the mapping that is open."""
        begin = self._next()
        shown = encode_pretty(value).decode().rstrip("\n").replace("\n", "\n" + " " * _INDENT * len(self._filled))
        return f"{begin}{encode(name).decode()}: {shown}"

    def close(self) -> str:
        """End the mapping that is open; the last one is the document."""
        filled = self._filled.pop()
        if not self._filled:
            return "\n}\n" if filled else "{}\n"
        return f"\n{' ' * _INDENT * len(self._filled)}}}" if filled else "}"

    def _next(self) -> str:
        comma = "," if self._filled[-1] else "{" if len(self._filled) == 1 else ""
        self._filled[-1] = True
        return f"{comma}\n{' ' * _INDENT * len(self._filled)}"


def _lines(name: str, value: Json, depth: int) -> str:
    return "\n".join(yaml_pair(name, value, _INDENT * depth)) + "\n"


async def written(exported: Exported, writer: Writer) -> AsyncIterator[str]:
    """The document of an export."""
    yield writer.pair("trimtab", FORMAT)
    yield writer.pair("installation", str(exported.installation))
    yield writer.pair("revision", exported.revision)
    walk = _Walk(writer)
    async for row in exported.rows:
        yield walk.place(row) if isinstance(row, Place) else "".join(entry_pieces(writer, row))
    yield walk.end()


class _Walk:
    """Opens and closes the mappings on the way from one place to the next."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._path: tuple[str, ...] = ()
        self._apps = False

    def place(self, place: Place) -> str:
        """Go to where this place's configs stand."""
        return "".join(self._to(path_of(place.scope), place.description))

    def end(self) -> str:
        """Leave everything; a document names the applications even where there is none."""
        left = "".join(self._to((), ""))
        return left + ("" if self._apps else self._writer.open("apps") + self._writer.close()) + self._writer.close()

    def _to(self, path: tuple[str, ...], description: str) -> Iterator[str]:
        common = 0
        while common < min(len(path), len(self._path)) and path[common] == self._path[common]:
            common += 1
        for _ in self._path[common:]:
            yield self._writer.close()
        for depth, name in enumerate(path[common:], common):
            yield self._writer.open(name)
            if depth == 1 and description:
                yield self._writer.pair("description", description)
        self._path = path
        self._apps = self._apps or path[:1] == ("apps",)


def entry_pieces(writer: Writer, entry: Standing) -> Iterator[str]:
    """An entry: its value first, then what people say about it. What says nothing is left out."""
    yield writer.open(entry.key)
    if entry.kind is Kind.MASK:
        yield writer.pair("mask", value=True)
    elif entry.value:
        name = "sealed" if entry.sensitive else member_of(entry.kind)
        yield writer.pair(name, decode(entry.value))
        if entry.sensitive and entry.kind is not Kind.VALUE:
            yield writer.pair("kind", entry.kind)
    more = {
        "sensitive": entry.sensitive,
        "description": entry.description,
        "owner": entry.owner,
        "labels": dict(entry.labels),
    }
    for name, value in more.items():
        if value:
            yield writer.pair(name, value)
    yield writer.close()

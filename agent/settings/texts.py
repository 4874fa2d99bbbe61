"""Read the YAML of settings: every scalar stays the text that was written, and no text takes more than it is worth.

No octal numbers, dates, or `no` that means false; tags say nothing. An alias stands for what it names, which is counted as
if it were written out.
"""

from pathlib import Path
from typing import NamedTuple

import yaml

from shared.domain.codec import Json

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 50
MAX_NODES = 200_000
"""Texts, lists and mappings, with what aliases stand for."""

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class TextsError(ValueError):
    """It cannot be read; the text says why."""


class _Node(NamedTuple):
    content: Json
    size: int


def read_texts(path: Path) -> Json:
    """The document in a file.

    Raises:
        OSError: the file cannot be read.
        TextsError: it is no YAML, or too much of it.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        msg = f"has more than {MAX_BYTES:,} bytes"
        raise TextsError(msg)
    try:
        return _Reader(content.decode()).document()
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        msg = f"is not YAML: {' '.join(str(error).split())}"
        raise TextsError(msg) from error


class _Reader:
    """Puts the parser's events together; depth costs no more stack than is allowed for."""

    def __init__(self, text: str) -> None:
        self._events = yaml.parse(text, _LOADER)
        self._anchors: dict[str, _Node] = {}
        self._nodes = 0

    def document(self) -> Json:
        """The only one that there is; None in a text without any."""
        found, documents = None, 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
            elif isinstance(event, yaml.NodeEvent):
                found = self._node(event, 0).content
        if documents > 1:
            msg = "holds more than one document"
            raise TextsError(msg)
        return found

    def _node(self, event: yaml.NodeEvent, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            msg = f"is nested deeper than {MAX_DEPTH} levels"
            raise TextsError(msg)
        if isinstance(event, yaml.AliasEvent):
            return self._counted(self._named(event.anchor))
        before = self._nodes
        content = self._content(event, depth)
        node = self._counted(_Node(content, 1))
        if event.anchor is not None:
            self._anchors[event.anchor] = node._replace(size=self._nodes - before)
        return node

    def _content(self, event: yaml.NodeEvent, depth: int) -> Json:
        if isinstance(event, yaml.ScalarEvent):
            return event.value
        parts = []
        while isinstance(part := next(self._events), yaml.NodeEvent):
            parts.append(self._node(part, depth + 1).content)
        if isinstance(event, yaml.SequenceStartEvent):
            return parts
        if not all(isinstance(key, str) for key in parts[::2]):
            msg = "has a key that is no text"
            raise TextsError(msg)
        return dict(zip(parts[::2], parts[1::2], strict=True))

    def _named(self, anchor: str | None) -> _Node:
        if anchor is None or (node := self._anchors.get(anchor)) is None:
            msg = f"has an alias {(anchor or '')[:100]!r} for what is not there, or not at its end"
            raise TextsError(msg)
        return node

    def _counted(self, node: _Node) -> _Node:
        self._nodes += node.size
        if self._nodes > MAX_NODES:
            msg = f"holds more than {MAX_NODES:,} texts, lists and mappings"
            raise TextsError(msg)
        return node

"""Read YAML that people wrote, or refuse it: a text has one meaning here, or none.

Only what JSON can say comes out. A bare word that some reader of YAML takes for something else (`no`, `012`, `1_000`,
`2020-01-01`) is refused instead of guessed at, and so is what a text can do to a reader: aliases, tags, keys given
twice, nesting without end. Built on the parser's events, so the depth of a text costs no stack.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from shared.domain.codec import Json

MAX_DEPTH = 80
"""Levels of nesting: a value's own, and those of the document around it."""
MAX_NODES = 1_000_000
"""Scalars, lists and mappings of one text."""

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_WORDS: dict[str, Json] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WIDEST_INTEGER = 20
"""Characters of a number of 64 bits with its sign."""
_DISPUTED = re.compile(
    r"""
      [yYnN] | [yY]es | YES | [nN]o | NO | [oO]n | ON | [oO]ff | OFF
    | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)
    | [-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?
    | [-+]?0(?:o[0-7_]+|b[01_]+|x[0-9a-fA-F_]+)
    | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9].*)?
    | = | <<
    """,
    re.VERBOSE,
)
"""Bare words that readers of YAML 1.1 or 1.2 take for something other than a text."""


class YamlRefusedError(ValueError):
    """The text is not YAML, or not of the kind that has one meaning; the message says what is wrong, and where."""


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come; `key` waits for its value."""

    content: dict[str, Json] | list[Json]
    key: str | None = None


def read_yaml(text: bytes | str) -> Json:
    """The document of a text.

    Raises:
        YamlRefusedError: it is none, more than one, or says something that JSON cannot or that readers dispute.
    """
    try:
        return _document(yaml.parse(text if isinstance(text, str) else text.decode("utf-8"), _LOADER))
    except UnicodeDecodeError as error:
        msg = f"the text is not UTF-8 (byte {error.start})"
        raise YamlRefusedError(msg) from error
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark or error.context_mark
        raise YamlRefusedError(_at(where, error.problem or error.context or "is not YAML")) from error
    except (yaml.YAMLError, RecursionError) as error:
        msg = "the text is not YAML: it contains a character that YAML does not allow"
        raise YamlRefusedError(msg) from error


def _document(events: Iterator[yaml.Event]) -> Json:
    stack: list[_Open] = []
    root: list[Json] = []
    for count, event in enumerate(events):
        if count > MAX_NODES:
            raise _refused(event, f"the limit is {MAX_NODES:,} nodes")
        match event:
            case yaml.ScalarEvent():
                _place(stack, root, event, _scalar(event))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                _open(stack, root, event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                stack.pop()
            case yaml.AliasEvent():
                raise _refused(event, "aliases are not read: write the value out")
            case yaml.DocumentStartEvent() if root:
                raise _refused(event, "the text holds more than one document")
    if not root:
        msg = "the text holds no document"
        raise YamlRefusedError(msg)
    return root[0]


def _open(stack: list[_Open], root: list[Json], event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
    if event.anchor is not None:
        raise _refused(event, "anchors are not read")
    if event.tag is not None:
        raise _refused(event, "tags are not read")
    if len(stack) >= MAX_DEPTH:
        raise _refused(event, f"nested deeper than {MAX_DEPTH} levels")
    content: dict[str, Json] | list[Json] = {} if isinstance(event, yaml.MappingStartEvent) else []
    _place(stack, root, event, content)
    stack.append(_Open(content))


def _place(stack: list[_Open], root: list[Json], event: yaml.Event, node: Json) -> None:
    """Put a node where it belongs: at the top, into a list, or into a mapping as a key or its value."""
    if not stack:
        root.append(node)
        return
    top = stack[-1]
    if isinstance(top.content, list):
        top.content.append(node)
    elif top.key is not None:
        top.content[top.key] = node
        top.key = None
    elif not isinstance(node, str):
        raise _refused(event, "a key is a text: put it in quotes")
    elif node in top.content:
        raise _refused(event, f"the key {node[:100]!r} stands here twice")
    else:
        top.key = node


def _scalar(event: yaml.ScalarEvent) -> Json:
    if event.anchor is not None:
        raise _refused(event, "anchors are not read")
    if event.tag is not None:
        raise _refused(event, "tags are not read")
    text: str = event.value
    if not event.implicit[0]:  # it is quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return _number(event, text)
    if _DISPUTED.fullmatch(text):
        raise _refused(event, "readers of YAML disagree about this word: write it as JSON does, or put it in quotes")
    return text


def _number(event: yaml.ScalarEvent, text: str) -> Json:
    if _INTEGER.fullmatch(text):
        if len(text) > _WIDEST_INTEGER or not -(2**63) <= int(text) < 2**64:
            raise _refused(event, "a whole number has at most 64 bits: put it in quotes, or write it as a decimal")
        return int(text)
    if not math.isfinite(number := float(text)):
        raise _refused(event, "a number has no finite value")
    return number


def _refused(event: yaml.Event, why: str) -> YamlRefusedError:
    return YamlRefusedError(_at(event.start_mark, why))


def _at(mark: Any, why: str) -> str:
    return why if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {why}"

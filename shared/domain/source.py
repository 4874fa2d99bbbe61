"""Functions made of source text, one text for each shape of a rule; what rules say is bound beside it.

Names and values of documents never get into the text: it refers to them as `c0`, `c1` and so on. So the texts are few,
each is compiled once, and nothing that somebody writes is ever executed.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from mmh3 import mmh3_32_uintdigest as murmur3

from shared.domain.bucketing import unit_text
from shared.domain.operators import holds
from shared.domain.references import UnresolvedError

_SHAPES = 1_024
"""Texts whose code is kept."""

_NAMES = {"murmur3": murmur3, "unit_text": unit_text, "holds": holds, "UnresolvedError": UnresolvedError}
"""All that a text may use besides what is bound to it."""


class Source:
    """The text of a function `decide(context, now_ms, references)`, line by line, and what is bound to it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._bound: list[Any] = []

    def bind(self, value: Any) -> str:
        """The name by which the text refers to a value."""
        self._bound.append(value)
        return f"c{len(self._bound) - 1}"

    def add(self, depth: int, line: str) -> None:
        """One more line; `depth` counts from the function's body."""
        self._lines.append(f"{'    ' * (depth + 2)}{line}")

    def function(self) -> Any:
        """The function."""
        return _made("\n".join(self._lines), len(self._bound))(*self._bound)


@lru_cache(_SHAPES)
def _made(body: str, bound: int) -> Callable[..., Any]:
    names = ", ".join(f"c{index}" for index in range(bound))
    text = f"def make({names}):\n    def decide(context, now_ms, references):\n{body}\n    return decide\n"
    namespace: dict[str, Any] = dict(_NAMES)
    exec(compile(text, "<a rule>", "exec"), namespace)  # noqa: S102 - our own text: see above
    made: Callable[..., Any] = namespace["make"]
    return made

"""Exposures compiled: one function that takes one of seven ways to the two sides of a rollout."""

from bisect import bisect_right
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from shared.domain.bucketing import WHOLE
from shared.domain.exposure import Exposure
from shared.domain.source import Source
from shared.domain.source_parts import Placing, add_bucket, bucket_below, expression


class Choice(IntEnum):
    """The ways to one of the two sides."""

    ALL = 0
    """Everybody is exposed, without conditions."""
    LET_IN = 1
    """Everybody whom the audience and the window let in is exposed, and they did."""
    BUCKET_IN = 2
    BUCKET_OUT = 3
    KEPT_OUT = 4
    """The audience or the window said no, or the weight is 0."""
    NO_UNIT = 5
    """The bucket would decide, and there is no unit."""
    UNRESOLVED = 6
    """The audience refers to what is not there."""


EXPOSED = frozenset({Choice.ALL, Choice.LET_IN, Choice.BUCKET_IN})
"""The ways to the candidate."""


class ExposureSource(Source):
    """The text of an exposure; `ways` are what each choice leads to: a value to return, or a function to call."""

    def __init__(self, exposure: Exposure, ways: Mapping[Choice, Any], *, called: bool) -> None:
        super().__init__()
        self._exposure = exposure
        call = "(context, now_ms, references)" if called else ""
        self._ways = {choice: f"{self.bind(way)}{call}" for choice, way in ways.items()}
        self._window()
        self._audience()
        everybody = Choice.LET_IN if exposure.conditional else Choice.ALL
        if len(exposure.at) == 1:
            self._one_weight(everybody)
        else:
            self._timeline(everybody)

    def _window(self) -> None:
        if self._exposure.start is not None:
            self.add(0, f"if now_ms < {self.bind(self._exposure.start)}:")
            self._go(1, Choice.KEPT_OUT)
        if self._exposure.end is not None:
            self.add(0, f"if now_ms >= {self.bind(self._exposure.end)}:")
            self._go(1, Choice.KEPT_OUT)

    def _audience(self) -> None:
        if self._exposure.when is None:
            return
        self.add(0, "try:")
        self.add(1, f"let_in = {expression(self._exposure.when, self)}")
        self.add(0, "except UnresolvedError:")
        self._go(1, Choice.UNRESOLVED)
        self.add(0, "if not let_in:")
        self._go(1, Choice.KEPT_OUT)

    def _one_weight(self, everybody: Choice) -> None:
        (start,), (weight,) = self._exposure.at, self._exposure.weights
        self.add(0, f"if now_ms < {self.bind(start)}:")
        self._go(1, Choice.KEPT_OUT)
        if weight in (0, WHOLE):
            self._go(0, everybody if weight else Choice.KEPT_OUT)
        else:
            self._bucket(self.bind(bucket_below(weight, self._exposure.bucketing)))

    def _timeline(self, everybody: Choice) -> None:
        bucketing = self._exposure.bucketing
        weights = [bucket_below(weight, bucketing) for weight in (0, *self._exposure.weights)]
        found = f"{self.bind(bisect_right)}({self.bind(self._exposure.at)}, now_ms)"
        self.add(0, f"weight = {self.bind(weights)}[{found}]")
        self.add(0, "if weight == 0:")
        self._go(1, Choice.KEPT_OUT)
        self.add(0, f"if weight == {self.bind(bucket_below(WHOLE, bucketing))}:")
        self._go(1, everybody)
        self._bucket("weight")

    def _bucket(self, weight: str) -> None:
        exposure = self._exposure
        placing = Placing(exposure.bucketing, exposure.salt)
        add_bucket(self, 0, exposure.attribute, placing, self._ways[Choice.NO_UNIT])
        self.add(0, f"if bucket < {weight}:")
        self._go(1, Choice.BUCKET_IN)
        self._go(0, Choice.BUCKET_OUT)

    def _go(self, depth: int, choice: Choice) -> None:
        self.add(depth, f"return {self._ways[choice]}")

"""Compiled choices: the side of a rollout that somebody is on, and the arm of a split.

Everything that does not depend on who asks is worked out beforehand. Buckets are compared by our own hash without being
computed: who is below a weight is below it as a hash, too.
"""

from bisect import bisect_right
from collections.abc import Callable
from enum import IntEnum
from typing import TypeAlias, TypeVar

from shared.domain.bucketing import BUCKETINGS, WHOLE, unit_text
from shared.domain.condition_compiler import compile_condition
from shared.domain.context import EvaluationContext
from shared.domain.exposure import Exposure
from shared.domain.references import References, UnresolvedError
from shared.domain.split import TARGETING_KEY

T = TypeVar("T")


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
"""The choices of the candidate."""

Choose: TypeAlias = Callable[[EvaluationContext, int, References], Choice]
Unit: TypeAlias = Callable[[EvaluationContext], str | None]


def unit_of(attribute: str) -> Unit:
    """The text of a context that is bucketed."""
    if attribute == TARGETING_KEY:
        return lambda context: context.targeting_key

    return lambda context: unit_text(context.attributes.get(attribute))


def choose_side(exposure: Exposure) -> Choose:
    """Which side of a rollout somebody is on: a function that never raises."""
    test = None if exposure.when is None else compile_condition(exposure.when)
    by_weight = _by_weight(exposure, free=test is None and exposure.start is None and exposure.end is None)
    if test is None and exposure.start is None and exposure.end is None:
        return by_weight
    start, end = exposure.start or 0, exposure.end
    let_in = test or _everybody

    def choose(context: EvaluationContext, now_ms: int, references: References) -> Choice:
        if now_ms < start or (end is not None and now_ms >= end):
            return Choice.KEPT_OUT
        try:
            if not let_in(context, now_ms, references):
                return Choice.KEPT_OUT
        except UnresolvedError:
            return Choice.UNRESOLVED
        return by_weight(context, now_ms, references)

    return choose


def _everybody(_context: EvaluationContext, _now_ms: int, _references: References) -> bool:
    return True


def _by_weight(exposure: Exposure, *, free: bool) -> Choose:
    at, weights = exposure.at, (0, *exposure.weights)
    unit, bucket = unit_of(exposure.attribute), BUCKETINGS[exposure.bucketing](exposure.salt)
    everybody = Choice.ALL if free else Choice.LET_IN

    def choose(context: EvaluationContext, now_ms: int, _references: References) -> Choice:
        weight = weights[bisect_right(at, now_ms)]
        if weight == 0:
            return Choice.KEPT_OUT
        if weight == WHOLE:
            return everybody
        text = unit(context)
        if text is None:
            return Choice.NO_UNIT
        try:
            return Choice.BUCKET_IN if bucket(text) < weight else Choice.BUCKET_OUT
        except UnicodeEncodeError:
            return Choice.NO_UNIT

    return choose

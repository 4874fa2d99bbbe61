"""All that one app/environment sees, compiled: the only door to evaluation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from shared.domain.condition_compiler import Test
from shared.domain.context import EvaluationContext
from shared.domain.decision import Decision, decision_of
from shared.domain.interpreter import Explanation, Interpreter
from shared.domain.outcome import Decide
from shared.domain.references import MAX_FOLLOWED, UnresolvedError
from shared.domain.resolution import Effective, Reason, Resolution

V = TypeVar("V")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Program:
    """Immutable. An entry is compiled when it changes; what it refers to is looked up when it is evaluated.

    `unsupported` says of each key that could not be understood why: it yields its baseline, or its default variant.
    """

    _effective: Mapping[str, Effective] = field(default_factory=dict)
    _decide: dict[str, Decide] = field(default_factory=dict)
    _constants: dict[str, Resolution] = field(default_factory=dict)
    _tests: dict[str, Test] = field(default_factory=dict)
    _moments: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unsupported: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, effective: Mapping[str, Effective]) -> "Program":
        """Compile everything."""
        return cls().after(effective, effective)

    def after(self, effective: Mapping[str, Effective], keys: Iterable[str]) -> "Program":
        """The program once these keys are what they are in `effective`; all others are as they were."""
        after = Program(
            effective,
            dict(self._decide),
            dict(self._constants),
            dict(self._tests),
            dict(self._moments),
            dict(self.unsupported),
        )
        for key in keys:
            after._put(key, effective.get(key))
        return after

    def evaluate(self, key: str, context: EvaluationContext, now_ms: int) -> Resolution | None:
        """What a config yields for who asks at a moment; None if there is none of this key to be read."""
        decide = self._decide.get(key)
        return None if decide is None else decide(context, now_ms, self)

    def resolutions(self, keys: Iterable[str], context: EvaluationContext, now_ms: int) -> dict[str, Resolution]:
        """What each of these keys yields for who asks at one moment, without those that yield nothing."""
        found = ((key, self.evaluate(key, context, now_ms)) for key in keys)
        return {key: resolution for key, resolution in found if resolution is not None}

    def constant(self, key: str) -> Resolution | None:
        """What a config yields if it is the same for everybody at any time."""
        return self._constants.get(key)

    def explain(self, key: str, context: EvaluationContext, now_ms: int) -> Explanation | None:
        """Why it yields what it does: each step of the decision, as it is written, without values."""
        return Interpreter(self._effective, context, now_ms).explain(key)

    def next_moment(self, after_ms: int) -> int | None:
        """When the clock next changes what somebody gets, without any message."""
        later = (moment for moments in self._moments.values() for moment in moments if moment > after_ms)
        return min(later, default=None)

    def segment(self, key: str, context: EvaluationContext, now_ms: int) -> bool:
        """Whether who asks belongs to a segment: what conditions refer to."""
        return _Followed(self._tests, self._decide, 0).segment(key, context, now_ms)

    def config(self, key: str, context: EvaluationContext, now_ms: int) -> Resolution | None:
        """What another config yields: what conditions refer to."""
        return _Followed(self._tests, self._decide, 0).config(key, context, now_ms)

    def _put(self, key: str, effective: Effective | None) -> None:
        decision = Decision() if effective is None else decision_of(effective)
        _set(self._tests, key, decision.test)
        _set(self._decide, key, decision.decide)
        _set(self._constants, key, decision.constant)
        _set(self._moments, key, decision.moments or None)
        _set(self.unsupported, key, decision.unsupported)


@dataclass(frozen=True, slots=True)
class _Followed:
    """A program's tables after some references were followed: it ends those that go in a circle."""

    tests: Mapping[str, Test]
    decide: Mapping[str, Decide]
    depth: int

    def segment(self, key: str, context: EvaluationContext, now_ms: int) -> bool:
        test = self.tests.get(key)
        if test is None:
            raise UnresolvedError
        return test(context, now_ms, self._deeper())

    def config(self, key: str, context: EvaluationContext, now_ms: int) -> Resolution | None:
        decide = self.decide.get(key)
        if decide is None:
            return None
        resolution = decide(context, now_ms, self._deeper())
        if resolution is not None and resolution.reason in (Reason.ERROR, Reason.UNKNOWN):
            raise UnresolvedError
        return resolution

    def _deeper(self) -> "_Followed":
        if self.depth == MAX_FOLLOWED:
            raise UnresolvedError
        return _Followed(self.tests, self.decide, self.depth + 1)


def _set(table: dict[str, V], key: str, value: V | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value

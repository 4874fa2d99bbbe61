"""All that one app/environment sees, compiled: the only door to evaluation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from shared.domain.context import EvaluationContext
from shared.domain.outcome import Decide, Decision, Test, is_plain, plain
from shared.domain.references import MAX_FOLLOWED, References, UnresolvedError
from shared.domain.resolution import Effective, ErrorCode, Reason, Resolution

if TYPE_CHECKING:
    from shared.domain.interpreter import Explanation

V = TypeVar("V")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Program:
    """Immutable. An entry is compiled when it changes; what it refers to is looked up when it is evaluated.

    Plain values, most of what there is, cost nothing until somebody asks for them. `unsupported` says of each key that
    could not be understood why: it yields its baseline, or its default variant.
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
        program = cls(effective)
        for key, each in effective.items():
            if not is_plain(each.entry):
                program._put(key, _compiled(each))
        return program

    def after(self, effective: Mapping[str, Effective], keys: Iterable[str], failing: Iterable[str] = ()) -> "Program":
        """The program once these keys are what they are in `effective`; all others are as they were.

        `failing` are keys that yield nothing but an error from now on.
        """
        tables = (dict(self._decide), dict(self._constants), dict(self._tests), dict(self._moments))
        after = Program(effective, *tables, dict(self.unsupported))
        for key in keys:
            found = effective.get(key)
            after._put(key, Decision() if found is None or is_plain(found.entry) else _compiled(found))
        for key in failing:
            error = Resolution(b"", None, Reason.ERROR, ErrorCode.GENERAL, effective[key])
            after._put(key, Decision(constant=error))
        return after

    def evaluate(self, key: str, context: EvaluationContext, now_ms: int) -> Resolution | None:
        """What a config yields for who asks at a moment; None if there is none of this key to be read."""
        decide = self._decide.get(key)
        return self.constant(key) if decide is None else decide(context, now_ms, self)

    def resolutions(self, keys: Iterable[str], context: EvaluationContext, now_ms: int) -> dict[str, Resolution]:
        """What each of these keys yields for who asks at one moment, without those that yield nothing."""
        keys = list(keys)
        found = zip(keys, self.each(keys, context, now_ms), strict=True)
        return {key: resolution for key, resolution in found if resolution is not None}

    def each(self, keys: Iterable[str], context: EvaluationContext, now_ms: int) -> list[Resolution | None]:
        """What each of these keys yields for who asks at one moment, in their order."""
        decides, constant = self._decide.get, self.constant
        return [constant(key) if (decide := decides(key)) is None else decide(context, now_ms, self) for key in keys]

    def decides(self, key: str) -> bool:
        """Whether a config yields this to one and that to another, so that it matters who asks."""
        return key in self._decide

    def constant(self, key: str) -> Resolution | None:
        """What a config yields if it is the same for everybody at any time."""
        if (kept := self._constants.get(key)) is not None:
            return kept
        found = self._effective.get(key)
        if found is None or not is_plain(found.entry):
            return None
        made = self._constants[key] = plain(found)
        return made

    def explain(self, key: str, context: EvaluationContext, now_ms: int) -> "Explanation | None":
        """Why it yields what it does: each step of the decision, as it is written, without values."""
        from shared.domain.interpreter import Interpreter  # noqa: PLC0415 - loaded by whoever asks for it

        return Interpreter(self._effective, context, now_ms).explain(key)

    def next_moment(self, after_ms: int) -> int | None:
        """When the clock next changes what somebody gets, without any message."""
        later = (moment for moments in self._moments.values() for moment in moments if moment > after_ms)
        return min(later, default=None)

    def following(self) -> References:
        """What conditions refer to, for one evaluation."""
        return _Evaluation(self, 0, {}, {})

    @property
    def keeps_time(self) -> bool:
        """Whether the clock ever changes anything."""
        return bool(self._moments)

    def changed_between(self, after_ms: int, until_ms: int) -> list[str]:
        """The keys that may yield something else because of moments after one and until the other.

        Others may refer to what changed, so as soon as anything did, all that is not the same for everybody is among them.
        """
        moved = any(after_ms < moment <= until_ms for moments in self._moments.values() for moment in moments)
        return sorted(key for key in self._decide if key not in self._constants) if moved else []

    def segment(self, key: str, context: EvaluationContext, now_ms: int) -> bool:
        """Whether who asks belongs to a segment: what conditions refer to."""
        return self.following().segment(key, context, now_ms)

    def config(self, key: str, context: EvaluationContext, now_ms: int) -> Resolution | None:
        """What another config yields: what conditions refer to."""
        return self.following().config(key, context, now_ms)

    def belongs(self, key: str, context: EvaluationContext, now_ms: int, references: References) -> bool:
        """Whether who asks belongs to a segment, whatever that refers to being looked up there.

        Raises:
            UnresolvedError: there is no such segment, or it cannot be decided.
        """
        test = self._tests.get(key)
        if test is None:
            raise UnresolvedError
        return test(context, now_ms, references)

    def followed(self, key: str, context: EvaluationContext, now_ms: int, references: References) -> Resolution | None:
        """What a config yields, whatever it refers to being looked up there."""
        decide = self._decide.get(key)
        return self.constant(key) if decide is None else decide(context, now_ms, references)

    def _put(self, key: str, decision: Decision) -> None:
        constant = decision.constant
        _set(self._tests, key, decision.test)
        _set(self._decide, key, decision.decide if constant is None else None)
        _set(self._constants, key, constant)
        _set(self._moments, key, decision.moments or None)
        _set(self.unsupported, key, decision.unsupported)


def _compiled(effective: Effective) -> Decision:
    """Compile an entry that is more than a value."""
    from shared.domain.decision import decision_of  # noqa: PLC0415 - two megabytes that only rules should cost

    return decision_of(effective)


class _Evaluation:
    """What one evaluation found of what it refers to, at some depth of references: it ends those that go in a circle.

    Each key is looked up once, so that segments of segments of segments take no longer than all of them together.
    """

    __slots__ = ("_configs", "_depth", "_program", "_segments")

    def __init__(
        self, program: Program, depth: int, segments: dict[str, bool], configs: dict[str, Resolution | None]
    ) -> None:
        self._program, self._depth, self._segments, self._configs = program, depth, segments, configs

    def following(self) -> References:
        return self

    def segment(self, key: str, context: EvaluationContext, now_ms: int) -> bool:
        found = self._segments.get(key)
        if found is None:
            found = self._segments[key] = self._program.belongs(key, context, now_ms, self._deeper())
        return found

    def config(self, key: str, context: EvaluationContext, now_ms: int) -> Resolution | None:
        if key in self._configs:
            found = self._configs[key]
        else:
            found = self._configs[key] = self._program.followed(key, context, now_ms, self._deeper())
        if found is not None and found.reason in _UNUSABLE:
            raise UnresolvedError
        return found

    def _deeper(self) -> "_Evaluation":
        if self._depth == MAX_FOLLOWED:
            raise UnresolvedError
        return _Evaluation(self._program, self._depth + 1, self._segments, self._configs)


_UNUSABLE = frozenset({Reason.ERROR, Reason.UNKNOWN})


def _set(table: dict[str, V], key: str, value: V | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value

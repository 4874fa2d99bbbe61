"""Compile conditions into closures: each decides by as few steps as what it was given allows.

What takes time is done once (`shared.domain.judges`); most conditions ask whether a text is in a set, and have forms of
their own for that.
"""

from collections.abc import Sequence

from shared.domain.codec import MalformedJsonError, decode
from shared.domain.condition import GROUPS, All, AnyOf, Condition, Not, OfAttribute, OfConfig, OfMembers, OfSegment
from shared.domain.context import EvaluationContext
from shared.domain.judges import Judge, is_there, judge_any, judge_of
from shared.domain.members import member_test
from shared.domain.operators import EXISTS, OPERATORS
from shared.domain.outcome import Test
from shared.domain.references import References, UnresolvedError
from shared.domain.split import TARGETING_KEY

_SAME = frozenset({"eq", "ne", "in", "not_in"})
_MAX_VERDICTS = 64
"""Values of another config whose verdicts are kept; a config yields few different ones."""


def compile_condition(condition: Condition) -> Test:  # noqa: PLR0911 - one for each form
    """The closure that decides a condition."""
    match condition:
        case OfAttribute():
            return _of_attribute(condition)
        case OfMembers(name, digests):
            is_member = member_test(digests)
            return _test(name, lambda value: isinstance(value, str) and is_member(value))
        case OfSegment(key):
            return lambda context, now_ms, references: references.segment(key, context, now_ms)
        case OfConfig():
            return _of_config(condition)
        case All(parts):
            return _all([compile_condition(each) for each in parts])
        case AnyOf(parts):
            return _any([compile_condition(each) for each in parts])
        case Not(part):
            test = compile_condition(part)
            return lambda context, now_ms, references: not test(context, now_ms, references)


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:  # noqa: PLR2004 - most have two, and need no loop
        first, second = tests
        return lambda context, now_ms, references: (
            first(context, now_ms, references) and second(context, now_ms, references)
        )

    def test(context: EvaluationContext, now_ms: int, references: References) -> bool:
        for each in tests:  # noqa: SIM110 - a generator would cost more than what it asks
            if not each(context, now_ms, references):
                return False
        return True

    return test


def _any(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:  # noqa: PLR2004 - most have two, and need no loop
        first, second = tests
        return lambda context, now_ms, references: (
            first(context, now_ms, references) or second(context, now_ms, references)
        )

    def test(context: EvaluationContext, now_ms: int, references: References) -> bool:
        for each in tests:  # noqa: SIM110 - a generator would cost more than what it asks
            if each(context, now_ms, references):
                return True
        return False

    return test


def _of_attribute(condition: OfAttribute) -> Test:
    name, op, values = condition.attribute, condition.op, condition.values
    if op == EXISTS:
        return _exists(name)
    negated = OPERATORS[op].negated
    if op in _SAME and all(isinstance(each, str) for each in values):
        return _of_texts(name, frozenset(values), negated=negated)
    test = _test(name, judge_of(op, values))
    return (lambda context, now_ms, references: not test(context, now_ms, references)) if negated else test


def _exists(name: str) -> Test:
    if name == TARGETING_KEY:
        return lambda context, _now_ms, _references: context.targeting_key is not None
    if name == GROUPS:
        return lambda context, _now_ms, _references: len(context.groups) > 0
    return lambda context, _now_ms, _references: is_there(context.attributes.get(name))


def _of_texts(name: str, texts: frozenset[str], *, negated: bool) -> Test:
    """Membership in a set of texts, which is what most conditions ask."""
    judge = judge_of("in", tuple(texts))
    if name == TARGETING_KEY:
        if negated:
            return lambda context, _now_ms, _references: context.targeting_key not in texts
        return lambda context, _now_ms, _references: context.targeting_key in texts
    if name == GROUPS:
        disjoint = texts.isdisjoint
        if negated:
            return lambda context, _now_ms, _references: disjoint(context.groups)
        return lambda context, _now_ms, _references: not disjoint(context.groups)

    def test(context: EvaluationContext, _now_ms: int, _references: References) -> bool:
        value = context.attributes.get(name)
        if value.__class__ is str:
            return value in texts
        return judge_any(judge, value)

    def no_test(context: EvaluationContext, _now_ms: int, _references: References) -> bool:
        value = context.attributes.get(name)
        if value.__class__ is str:
            return value not in texts
        return not judge_any(judge, value)

    return no_test if negated else test


def _test(name: str, judge: Judge) -> Test:
    """Whether a judge says yes to an attribute, or to any element of one that is a list."""
    if name == TARGETING_KEY:
        return lambda context, _now_ms, _references: judge(context.targeting_key)
    if name == GROUPS:
        return lambda context, _now_ms, _references: any(map(judge, context.groups))

    def test(context: EvaluationContext, _now_ms: int, _references: References) -> bool:
        value = context.attributes.get(name)
        if value.__class__ is list or value.__class__ is tuple:
            return judge_any(judge, value)
        return judge(value)

    return test


def _of_config(condition: OfConfig) -> Test:
    key, exists = condition.key, condition.op == EXISTS
    negated = not exists and OPERATORS[condition.op].negated
    judge = None if exists else judge_of(condition.op, condition.values)
    verdicts: dict[bytes, bool] = {}

    def verdict(value: bytes) -> bool:
        try:
            document = decode(value)
        except MalformedJsonError as error:
            raise UnresolvedError from error
        if len(verdicts) == _MAX_VERDICTS:
            verdicts.clear()
        verdicts[value] = found = is_there(document) if judge is None else judge_any(judge, document) is not negated
        return found

    def test(context: EvaluationContext, now_ms: int, references: References) -> bool:
        resolution = references.config(key, context, now_ms)
        if resolution is None:
            if exists:
                return False
            raise UnresolvedError
        found = verdicts.get(resolution.value)
        return verdict(resolution.value) if found is None else found

    return test

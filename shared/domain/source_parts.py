"""The parts of generated functions that flags and exposures share: where a unit falls, and whether a condition holds."""

from typing import NamedTuple

from shared.domain.bucketing import BUCKETINGS, DEFAULT, WHOLE
from shared.domain.condition import GROUPS, All, AnyOf, Condition, Not, OfAttribute
from shared.domain.condition_compiler import compile_condition
from shared.domain.operators import OPERATORS
from shared.domain.source import Source
from shared.domain.split import TARGETING_KEY

_INLINE = 16
"""Conditions that are written out, of those within one; there are few texts for a few, and many for many."""


class Placing(NamedTuple):
    """How a unit is placed."""

    bucketing: str
    salt: str


def add_bucket(source: Source, depth: int, unit: str, placing: Placing, no_unit: str) -> None:
    """Lines that leave where the attribute `unit` falls in `bucket`, or return `no_unit`.

    Our own hash stays as it is: it is compared with hashes (`bucket_below`), so no bucket need be computed from it.
    """
    if unit == TARGETING_KEY:
        source.add(depth, "unit = context.targeting_key")
    else:
        source.add(depth, f"unit = unit_text(context.attributes.get({source.bind(unit)}))")
    source.add(depth, "if unit is None:")
    source.add(depth + 1, f"return {no_unit}")
    source.add(depth, "try:")
    if placing.bucketing == DEFAULT:
        source.add(depth + 1, f"bucket = murmur3(({source.bind(f'{placing.salt}:')} + unit).encode())")
    else:
        source.add(depth + 1, f"bucket = {source.bind(BUCKETINGS[placing.bucketing](placing.salt))}(unit)")
    source.add(depth, "except UnicodeEncodeError:")
    source.add(depth + 1, f"return {no_unit}")


def bucket_below(weight: int, bucketing: str) -> int:
    """What `bucket` is below for whoever has a bucket below the weight, and for nobody else."""
    return -(-(weight << 32) // WHOLE) if bucketing == DEFAULT else weight


def expression(condition: Condition, source: Source) -> str:
    """A condition as an expression: what is asked most stands there as it is, everything else as a call."""
    return _Expression(source, _INLINE).of(condition)


class _Expression:
    """Writes one condition; once it has become long, the rest of it is called."""

    def __init__(self, source: Source, room: int) -> None:
        self._source, self._room = source, room

    def of(self, condition: Condition) -> str:
        self._room -= 1
        if self._room < 0:
            return self._call(condition)
        match condition:
            case All(parts):
                return f"({' and '.join(map(self.of, parts))})"
            case AnyOf(parts):
                return f"({' or '.join(map(self.of, parts))})"
            case Not(part):
                return f"(not {self.of(part)})"
            case OfAttribute(name, "eq" | "in" | "ne" | "not_in" as op, values) if set(map(type, values)) == {str}:
                return f"({self._of_texts(name, op, frozenset(values))})"
            case _:
                return self._call(condition)

    def _of_texts(self, name: str, op: str, texts: frozenset[str]) -> str:
        """Membership in a set of texts; what is no text is none of them, unless it is a list."""
        bind, negated = self._source.bind, OPERATORS[op].negated
        among = "not in" if negated else "in"
        if name == GROUPS:
            return f"{'' if negated else 'not '}{bind(texts.isdisjoint)}(context.groups)"
        if name == TARGETING_KEY:
            return f"context.targeting_key {among} {bind(texts)}"
        value, among_texts = f"(value := context.attributes.get({bind(name)}))", bind(texts)
        otherwise = f"value is None or holds('{op}', value, {among_texts})"
        if not negated:
            otherwise = f"value is not None and holds('{op}', value, {among_texts})"
        return f"value {among} {among_texts} if {value}.__class__ is str else {otherwise}"

    def _call(self, condition: Condition) -> str:
        return f"{self._source.bind(compile_condition(condition))}(context, now_ms, references)"

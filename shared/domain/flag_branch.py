"""Flags compiled: their rules as one function, in which the commonest conditions and splits are steps of its own."""

from bisect import bisect_right

from shared.domain.flag import Flag, Rule
from shared.domain.outcome import Branch, Outcomes
from shared.domain.resolution import ErrorCode, Reason
from shared.domain.source import Source
from shared.domain.source_parts import Placing, add_bucket, bucket_below, expression
from shared.domain.split import Split

_FEW = 8
"""Arms up to which a split compares with one end after the other."""


def flag_branch(flag: Flag, outcomes: Outcomes) -> Branch:
    """The branch of a flag: its rules in their order, up to one that matches everybody."""
    if not flag.on:
        return Branch.to(outcomes.of(flag.variants[flag.off], flag.off, Reason.DISABLED))
    if not flag.rules:
        return Branch.to(outcomes.of(flag.variants[flag.default], flag.default, Reason.STATIC))
    first = flag.rules[0]
    if first.when is None and isinstance(first.serve, str):
        return Branch.to(outcomes.of(flag.variants[first.serve], first.serve, Reason.TARGETING_MATCH))
    return Branch(_FlagSource(flag, outcomes).function(), fixed=False)


class _FlagSource(Source):
    """The text of a flag that has rules."""

    def __init__(self, flag: Flag, outcomes: Outcomes) -> None:
        super().__init__()
        self._flag, self._outcomes = flag, outcomes
        self.add(0, "try:")
        for rule in flag.rules:
            self._rule(rule)
            if rule.when is None:
                break
        else:
            self.add(1, f"return {self._default()}")
        self.add(0, "except UnresolvedError:")
        self.add(1, f"return {self._default(ErrorCode.GENERAL)}")

    def _rule(self, rule: Rule) -> None:
        depth = 1
        if rule.when is not None:
            self.add(1, f"if {expression(rule.when, self)}:")
            depth = 2
        if isinstance(rule.serve, str):
            self.add(depth, f"return {self._variant(rule.serve, Reason.TARGETING_MATCH)}")
        else:
            self._split(rule.serve, depth)

    def _split(self, split: Split, depth: int) -> None:
        no_unit = self._default(ErrorCode.TARGETING_KEY_MISSING)
        add_bucket(self, depth, split.unit, Placing(split.bucketing, split.salt), no_unit)
        ends = [bucket_below(end, split.bucketing) for end in split.ends]
        arms = [(end, name) for name, start, end in zip(split.variants, [0, *ends], ends, strict=False) if start < end]
        self._arms(arms, depth)

    def _arms(self, arms: list[tuple[int, str]], depth: int) -> None:
        served = [self._outcomes.of(self._flag.variants[name], name, Reason.SPLIT) for _, name in arms]
        if len(arms) > _FEW:
            found = f"{self.bind(bisect_right)}({self.bind([end for end, _ in arms])}, bucket)"
            self.add(depth, f"return {self.bind(served)}[{found}]")
            return
        for (end, _), resolution in zip(arms[:-1], served[:-1], strict=True):
            self.add(depth, f"if bucket < {self.bind(end)}:")
            self.add(depth + 1, f"return {self.bind(resolution)}")
        self.add(depth, f"return {self.bind(served[-1])}")

    def _default(self, error: ErrorCode | None = None) -> str:
        return self._variant(self._flag.default, Reason.DEFAULT, error)

    def _variant(self, name: str, reason: Reason, error: ErrorCode | None = None) -> str:
        return self.bind(self._outcomes.of(self._flag.variants[name], name, reason, error))

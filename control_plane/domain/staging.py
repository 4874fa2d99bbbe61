"""Staging: what policies ask of the rollout as which every change of a scope has to go.

A staged scope knows no special path: configs, flags, segments, kill switches, secrets, imports and reverts alike go as
rollouts there, each with the gates that the policies want, or past them with broken glass.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.wire.problem import Violation

GATES = ("bake", "acks", "health", "outcomes", "metric", "webhook", "approval")
"""The kinds of gates that a policy can ask for."""

STRATEGIES = ("immediate", "percentage", "canary", "feature_flag", "time_based", "user_targeting")
LONGEST_BAKE = timedelta(days=30)
EVERYBODY = 100_000


@dataclass(frozen=True, slots=True)
class Staging:
    """What a rollout must have. `gates`: kinds, each of which must hold somewhere before everybody is exposed.

    `bake`: for how long its bake gates wait together before that; `first_weight`: to how many it may be exposed before
    its first gate; `strategies` None: whichever.
    """

    gates: tuple[str, ...] = ()
    bake: timedelta = timedelta()
    first_weight: int = EVERYBODY
    strategies: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """How a rollout goes: what its plan has of what a policy can ask for. Dry runs of gates do not count."""

    strategy: str
    gates: frozenset[str] = frozenset()
    bake: timedelta = timedelta()
    first_weight: int = EVERYBODY


def strictest(asked: Iterable[Staging]) -> Staging | None:
    """What several policies ask for together; None where none of them asks for anything."""
    found = list(asked)
    if not found:
        return None
    named = [set(each.strategies) for each in found if each.strategies is not None]
    return Staging(
        gates=tuple(kind for kind in GATES if any(kind in each.gates for each in found)),
        bake=max(each.bake for each in found),
        first_weight=min(each.first_weight for each in found),
        strategies=tuple(each for each in STRATEGIES if each in set.intersection(*named)) if named else None,
    )


def shortfalls(asked: Staging, staged: Staged | None) -> Iterator[str]:
    """What a change lacks, in words. One that is no rollout lacks all of it."""
    if staged is None:
        yield "it goes as a rollout"
        return
    if asked.strategies is not None and staged.strategy not in asked.strategies:
        yield f"its strategy is one of {', '.join(asked.strategies) or 'none'}"
    for kind in asked.gates:
        if kind not in staged.gates:
            yield f"it has a gate of the type {kind}"
    if staged.bake < asked.bake:
        yield f"it bakes for at least {asked.bake.total_seconds():g} s"
    if staged.first_weight > asked.first_weight:
        yield f"it exposes at most the weight {asked.first_weight:,} before its first gate"


def staging_violations(pointer: str, asked: Staging) -> Iterator[Violation]:
    """What cannot be asked for."""
    yield from _unknown(f"{pointer}/gates", asked.gates, GATES)
    if asked.strategies is not None:
        yield from _unknown(f"{pointer}/strategies", asked.strategies, STRATEGIES)
        if not asked.strategies:
            yield Violation(f"{pointer}/strategies", "name one at least; null: whichever")
    if not timedelta() <= asked.bake <= LONGEST_BAKE:
        yield Violation(f"{pointer}/bake", f"from 0 s to {LONGEST_BAKE.days} days")
    if not 0 <= asked.first_weight <= EVERYBODY:
        yield Violation(f"{pointer}/first_weight", f"from 0 to {EVERYBODY:,}")


def _unknown(pointer: str, given: Sequence[str], known: Sequence[str]) -> Iterator[Violation]:
    for index, each in enumerate(given):
        if each not in known:
            yield Violation(f"{pointer}/{index}", f"{each!r} is none of {', '.join(known)}")

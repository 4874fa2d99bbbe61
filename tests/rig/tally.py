"""How much was tried by tests that make their inputs: told at the end of a run, however many processes it had."""

from collections import Counter
from typing import TypeAlias

Tally: TypeAlias = list[int]
"""Inputs that were tried, and how many of them were accepted."""

PROPERTY = "inputs"
"""What a test's report carries it under."""


def add(tally: Tally, statuses: Counter[int]) -> None:
    """Count requests by the statuses of their answers."""
    tally[0] += statuses.total()
    tally[1] += sum(times for status, times in statuses.items() if status < 400)


def lines(found: dict[str, Tally]) -> list[str]:
    """A line for each module, and one for all."""
    together = [sum(each) for each in zip(*found.values(), strict=True)]
    told = [*sorted(found.items()), ("together", together)]
    return [f"{name}: {tried:,} inputs, {accepted:,} accepted" for name, (tried, accepted) in told]

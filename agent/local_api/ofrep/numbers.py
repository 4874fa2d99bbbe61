"""Which numbers are floats: where one of a config's can be, all of them are, since clients tell 1 from 1.0."""

import re
from collections.abc import Iterator

from shared.domain.codec import Json, MalformedJsonError, decode
from shared.domain.entry import Kind
from shared.domain.resolution import Effective

_INTEGER = re.compile(rb"-?[0-9]+")


def as_served(value: bytes, effective: Effective) -> bytes:
    """A value in the type that its config has: `1` is `1.0` where another of its variants is `0.5`."""
    if _INTEGER.fullmatch(value) and any(isinstance(each, float) for each in _yields(effective)):
        return value + b".0"
    return value


def _yields(effective: Effective) -> Iterator[Json]:
    """All that a config may yield: its value or variants, its candidate's, and those of what stands below it."""
    entry = effective.entry
    yield from _contents(entry.kind, entry.value)
    if entry.rollout:
        yield from _candidate(effective)
    if effective.below is not None:
        yield from _yields(effective.below)


def _candidate(effective: Effective) -> Iterator[Json]:
    from shared.domain.exposure import MISUNDERSTOOD, exposure_of  # noqa: PLC0415 - memory that only rollouts should cost

    try:
        exposure = exposure_of(effective.entry)
    except MISUNDERSTOOD:  # then nobody gets the candidate
        return
    if exposure is not None:
        yield from _contents(exposure.kind, exposure.candidate)


def _contents(kind: str, value: bytes) -> Iterator[Json]:
    try:
        document = decode(value)
    except MalformedJsonError:  # the value was left out
        return
    if kind == Kind.FLAG:
        variants = document.get("variants") if isinstance(document, dict) else None
        yield from variants.values() if isinstance(variants, dict) else ()
    else:
        yield document

"""What the measurements of gates add up to. Pure: whoever drives a rollout measures what is due, records, and judges.

```text
              measured, passes ──────────────────────────▶ PASSED   as long as that is no older than the interval
              failed `failure_limit` times, no pass between ─▶ FAILED at once, whatever the other gates show
OPEN ─────────inconclusive `inconclusive_limit` times in a row ─▶ STUCK   a person decides
              no pass for `timeout` ──▶ FAILED, or STUCK if `on_timeout` is "hold"
```

A step is passed when all its gates pass at the same look. Until then all of them are measured again and again, also
those that passed: a bake of an hour is an hour in which health is watched. A gate that has no timeout waits for ever.
A dry run is measured and recorded like others, and its gate counts as passed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile

from control_plane.domain.gates.measurement import Measurement, Result
from control_plane.domain.gates.spec import Bake, Gate, Health, Seconds

_NEVER = 2**62


class Verdict(StrEnum):
    """What a gate, or all of a step's, have come to."""

    PASSED = "passed"
    """The way is free, as of now."""
    FAILED = "failed"
    """The rollout is to be aborted."""
    OPEN = "open"
    """Neither; it goes on."""
    STUCK = "stuck"
    """It does not go on by itself: a person resumes, promotes or aborts."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and why; `due` are the gates to be measured now, `due_ms` is when the next one is to be."""

    verdict: Verdict
    reason: str = ""
    due: tuple[int, ...] = ()
    due_ms: int = _NEVER


def judge_step(gates: Sequence[Gate], measurements: Sequence[Measurement], since_ms: int, now_ms: int) -> Judgement:
    """What a step's gates have come to. Measure those that are `due`, record that, and judge again at the same `now_ms`.

    `since_ms` is when the step began, or when its gates were begun anew. When agents raise the alarm (the bell of `Evidences`),
    measure those of `urgent` as well, due or not.
    """
    each = [
        judge(gate, [one for one in measurements if one.gate == index], since_ms, now_ms, index)
        for index, gate in enumerate(gates)
    ]
    due = tuple(index for index, judged in enumerate(each) if judged.due)
    due_ms = min((judged.due_ms for judged in each), default=_NEVER)
    for verdict in (Verdict.FAILED, Verdict.STUCK, Verdict.OPEN):
        reasons = [judged.reason for judged in each if judged.verdict is verdict]
        if reasons:
            return Judgement(verdict, "; ".join(filter(None, reasons)), due, due_ms)
    return Judgement(Verdict.PASSED, "", due, due_ms)


def urgent(gates: Sequence[Gate]) -> tuple[int, ...]:
    """The gates that an alarm is about."""
    return tuple(index for index, gate in enumerate(gates) if isinstance(gate, Health))


def judge(gate: Gate, measurements: Sequence[Measurement], since_ms: int, now_ms: int, index: int = 0) -> Judgement:
    """What one gate's own measurements, oldest first, have come to."""
    due_ms = _due_ms(gate, measurements, since_ms)
    due = (index,) if due_ms <= now_ms else ()
    verdict, reason = _verdict(gate, measurements, since_ms, is_due=bool(due))
    judged = Judgement(verdict, f"gate {index} ({gate.TYPE}): {reason}" if reason else "", due, due_ms)
    return replace(judged, verdict=Verdict.PASSED) if gate.terms.dry_run else judged


def _verdict(gate: Gate, measurements: Sequence[Measurement], since_ms: int, *, is_due: bool) -> tuple[Verdict, str]:
    if not measurements:
        return Verdict.OPEN, "it is not measured yet"
    terms, last = gate.terms, measurements[-1]
    if _failures(measurements) >= terms.failure_limit:
        return Verdict.FAILED, next(each.detail for each in reversed(measurements) if each.result is Result.FAIL)
    if is_due:
        return Verdict.OPEN, last.detail
    if last.result is Result.PASS:
        return Verdict.PASSED, ""
    return _held(gate, measurements, since_ms)


def _held(gate: Gate, measurements: Sequence[Measurement], since_ms: int) -> tuple[Verdict, str]:
    """What becomes of a gate that does not pass: it waits, until one of its limits is reached."""
    terms, last = gate.terms, measurements[-1]
    if last.at_ms >= _deadline_ms(gate, measurements, since_ms):
        verdict = Verdict.FAILED if terms.on_timeout == "fail" else Verdict.STUCK
        return verdict, f"it did not pass within {terms.timeout} s: {last.detail}"
    limit = terms.inconclusive_limit
    if limit is not None and _inconclusive(measurements) >= limit:
        return Verdict.STUCK, f"inconclusive {limit} times in a row: {last.detail}"
    return Verdict.OPEN, last.detail


def _due_ms(gate: Gate, measurements: Sequence[Measurement], since_ms: int) -> int:
    """When it is to be measured next: after its interval, and once when its time is over."""
    if not measurements:
        return since_ms
    last, deadline = measurements[-1].at_ms, _deadline_ms(gate, measurements, since_ms)
    regular = _ms(gate.terms.interval) + last
    if isinstance(gate, Bake):
        end = since_ms + _ms(gate.seconds)
        regular = end if last < end else _NEVER
    return min(regular, deadline) if last < deadline else regular


def _deadline_ms(gate: Gate, measurements: Iterable[Measurement], since_ms: int) -> int:
    if gate.terms.timeout is None:
        return _NEVER
    passed = max((each.at_ms for each in measurements if each.result is Result.PASS), default=since_ms)
    return passed + _ms(gate.terms.timeout)


def _failures(measurements: Sequence[Measurement]) -> int:
    """How many there were since the last pass. What is inconclusive in between takes nothing back."""
    since = takewhile(lambda each: each.result is not Result.PASS, reversed(measurements))
    return sum(each.count for each in since if each.result is Result.FAIL)


def _inconclusive(measurements: Sequence[Measurement]) -> int:
    """How many inconclusive ones there are at the end."""
    at_the_end = takewhile(lambda each: each.result is Result.INCONCLUSIVE, reversed(measurements))
    return sum(each.count for each in at_the_end)


def _ms(seconds: Seconds) -> int:
    return round(seconds * 1000)

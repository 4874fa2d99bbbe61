"""When which weight holds: the plan's points laid out on the clock, stopped by a pause and shifted by what was late."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from control_plane.domain.rollouts.plan import Step


class Moment(NamedTuple):
    """From here on this weight holds. `fixed`: it is tied to the calendar, whatever is late."""

    at_ms: int
    weight: int
    fixed: bool = False


Timeline: TypeAlias = tuple[Moment, ...]


def weight_at(timeline: Timeline, now_ms: int) -> int:
    """The weight at a moment; before the first, nobody is exposed."""
    index = bisect_right(timeline, now_ms, key=lambda each: each.at_ms)
    return timeline[index - 1].weight if index else 0


def settled_ms(timeline: Timeline) -> int:
    """When the last weight is reached."""
    return timeline[-1].at_ms


def laid_out(step: Step, before: Timeline, now_ms: int, *, at_once: bool = False) -> Timeline:
    """The weights of a step that begins now: none sooner than now, nor than the plan has it after the step before.

    `at_once`: its first weight holds now, whatever the plan says.
    """
    planned = settled_ms(before) if before else now_ms
    moments = [Moment(now_ms, weight_at(before, now_ms))] if before else []
    at = now_ms
    for index, point in enumerate(step.points):
        base = planned if index == 0 else at
        if not (at_once and index == 0):
            at = max(at, base + point.after_ms if point.at_ms is None else point.at_ms)
        moments.append(Moment(at, point.weight, fixed=point.at_ms is not None))
    return _rising(moments)


def frozen(timeline: Timeline, now_ms: int) -> Timeline:
    """The weight of this moment, for as long as nothing else is said."""
    passed = [each for each in timeline if each.at_ms <= now_ms]
    return tuple(passed[-1:]) or (Moment(now_ms, 0),)


def resumed(timeline: Timeline, paused_ms: int, now_ms: int) -> Timeline:
    """What was left when it was paused, as much later as the pause was long; what is tied to the calendar stays.

    Steps to come are counted from the last moment, so that one is moved on even where its weight was reached already. What was
    reached stays so, also by a clock that was set back meanwhile.
    """
    late = now_ms - paused_ms
    moments = []
    for each in timeline:
        if each.at_ms > paused_ms:
            at = max(each.at_ms, now_ms) if each.fixed else each.at_ms + late
            moments.append(each._replace(at_ms=at))
        else:
            moments.append(each._replace(at_ms=min(each.at_ms, now_ms)))
    last = timeline[-1]
    if last.at_ms <= paused_ms and not last.fixed:
        moments.append(last._replace(at_ms=last.at_ms + late))
    return _rising(moments)


def _rising(moments: Sequence[Moment]) -> Timeline:
    """The moments in their order, of several at the same time the last."""
    kept: list[Moment] = []
    for each in moments:
        at = max(each.at_ms, kept[-1].at_ms) if kept else each.at_ms
        if kept and kept[-1].at_ms == at:
            kept.pop()
        kept.append(each._replace(at_ms=at))
    return tuple(kept)

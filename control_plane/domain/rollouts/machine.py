"""How a rollout goes from phase to phase. Pure: it is told the moment, who acts, and what its gates have come to.

```text
           start               its step is reached         its gates pass, or it is promoted
 pending ────────▶ progressing ───────────────────▶ waiting ────────────────────────────────▶ the next step: progressing
    │                 │    ▲                          │  ▲                                      after the last: completed
    │                 pause└──────── resume ──────────┘  │
    │                 └─────────▶ paused ────────────────┘            abort, a failed gate, from anywhere ──▶ aborted
    └─ abort ──▶ aborted
```

Gates that cannot come to a conclusion within their limits pause it. A pause stops the clock of a rollout; what was left then is as much later as the pause was long, and the gates of its
step begin anew; they are watched meanwhile, so a clear failure aborts it all the same. What is late because of a gate makes the steps after it as much later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from control_plane.domain.access.role import Role
from control_plane.domain.errors import ConflictError
from control_plane.domain.gates.judging import Judgement, Verdict
from control_plane.domain.rollouts.rollout import Given, Rollout
from control_plane.domain.rollouts.timeline import frozen, laid_out, resumed
from control_plane.domain.rollouts.words import EXPOSED, LEGAL, Action, AtEnd, Outcome, Phase
from shared.domain.codec import Json


class IllegalActionError(ConflictError):
    """The rollout's phase does not allow the action; `legal_actions` are those that it does."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A rollout after something happened to it: what, in the past tense, and why."""

    rollout: Rollout
    action: str
    detail: Mapping[str, Json] = field(default_factory=dict)


def require_legal(rollout: Rollout, action: Action) -> None:
    """Make sure that this can be done now.

    Raises:
        IllegalActionError: it cannot.
    """
    legal = LEGAL[rollout.phase]
    if action not in legal:
        can = f"it can be done: {', '.join(legal)}" if legal else "nothing happens to it any more"
        msg = f"The rollout is {rollout.phase}: {action} is not possible; {can}."
        raise IllegalActionError(msg, id=str(rollout.id), phase=rollout.phase, legal_actions=list(legal))


def start(rollout: Rollout, now_ms: int) -> Moved:
    """Expose the candidate by the first step."""
    require_legal(rollout, Action.START)
    return Moved(_begun(replace(rollout, started_ms=now_ms), 0, now_ms), "started")


def pause(rollout: Rollout, now_ms: int, reason: str) -> Moved:
    """Let it stay as it is now."""
    require_legal(rollout, Action.PAUSE)
    paused = replace(rollout, phase=Phase.PAUSED, paused_in=rollout.phase, paused_ms=now_ms)
    return Moved(paused, "paused", _why(reason))


def resume(rollout: Rollout, now_ms: int, reason: str) -> Moved:
    """Let it go on where it was paused."""
    require_legal(rollout, Action.RESUME)
    stopped = now_ms if rollout.paused_ms is None else rollout.paused_ms
    gone_on = replace(
        rollout,
        phase=rollout.paused_in,
        paused_ms=None,
        timeline=resumed(rollout.timeline, stopped, now_ms),
        began_ms=max(rollout.began_ms, now_ms),
        gates_ms=None if rollout.gates_ms is None else now_ms,
        revision=0,
    )
    return Moved(gone_on, "resumed", _why(reason))


def promote(rollout: Rollout, now_ms: int, reason: str, *, full: bool = False) -> Moved:
    """Go on to the next step, or to the end, whatever its gates say."""
    require_legal(rollout, Action.PROMOTE)
    detail = _why(reason) | {"full": full, "past": [gate.TYPE for gate in rollout.plan.steps[rollout.step].gates]}
    going = rollout
    if rollout.paused_ms is not None:
        going = replace(rollout, timeline=frozen(rollout.timeline, rollout.paused_ms), paused_ms=None)
    if full or going.step + 1 == len(going.plan.steps):
        return Moved(_ended(going, Phase.COMPLETED, Outcome.KEPT, reason), "promoted", detail)
    return Moved(_begun(going, going.step + 1, now_ms, at_once=True), "promoted", detail)


def abort(rollout: Rollout, reason: str, evidence: Mapping[str, Json] | None = None) -> Moved:
    """Withdraw the candidate from everybody."""
    require_legal(rollout, Action.ABORT)
    ended = _ended(rollout, Phase.ABORTED, Outcome.WITHDRAWN, reason)
    return Moved(ended, "aborted", _why(reason) | dict(evidence or {}))


def approve(rollout: Rollout, principal: str, role: Role) -> Moved:
    """Note that somebody said yes: before the start to all of it, later to its present step."""
    require_legal(rollout, Action.APPROVE)
    given = Given(principal, role, -1 if rollout.phase is Phase.PENDING else rollout.step)
    if given in rollout.approvals:
        return Moved(rollout, "approved")
    detail = {"principal": principal, "role": role, "step": given.step}
    return Moved(replace(rollout, approvals=(*rollout.approvals, given)), "approved", detail)


def advance(
    rollout: Rollout, now_ms: int, judgement: Judgement | None = None, evidence: Mapping[str, Json] | None = None
) -> Moved | None:
    """What happens to it by itself now; None if nothing does. `judgement` is what the gates of its step have come to.

    It is one move: whoever drives it looks again after each.
    """
    if rollout.phase is Phase.PENDING:
        due = rollout.start_at_ms is not None and rollout.start_at_ms <= now_ms
        return start(rollout, now_ms) if due else None
    if not rollout.finished and rollout.closes_ms is not None and rollout.closes_ms <= now_ms:
        return _closed(rollout)
    verdict = None if judgement is None else judgement.verdict
    if verdict is Verdict.FAILED and judgement is not None and rollout.phase in EXPOSED:
        return abort(rollout, judgement.reason, evidence)
    if rollout.phase is Phase.PROGRESSING and now_ms >= rollout.settled_ms:
        return _reached(rollout)
    if rollout.phase is Phase.WAITING and judgement is not None:
        return _judged(rollout, now_ms, judgement, evidence)
    return None


def _judged(rollout: Rollout, now_ms: int, judgement: Judgement, evidence: Mapping[str, Json] | None) -> Moved | None:
    """The gates have passed, or cannot say by themselves: then a person has to."""
    if judgement.verdict is Verdict.PASSED:
        return _next(rollout, now_ms, evidence)
    if judgement.verdict is not Verdict.STUCK:
        return None
    moved = pause(rollout, now_ms, judgement.reason)
    return replace(moved, detail={**moved.detail, **(evidence or {})})


def gone_on(rollout: Rollout, now_ms: int) -> Rollout:
    """The rollout in its next step, once its gates have passed at a moment; there is a next one."""
    return _begun(rollout, rollout.step + 1, now_ms)


def next_ms(rollout: Rollout) -> int | None:
    """When something may happen to it by itself, apart from its gates; None if nothing will."""
    if rollout.phase is Phase.PENDING:
        return rollout.start_at_ms
    moments = [] if rollout.closes_ms is None or rollout.finished else [rollout.closes_ms]
    if rollout.phase is Phase.PROGRESSING and not _stays(rollout):
        moments.append(rollout.settled_ms)
    return min(moments, default=None)


def _stays(rollout: Rollout) -> bool:
    """Whether it is where its plan ends, and only a person or its window takes it further."""
    plan = rollout.plan
    return rollout.step + 1 == len(plan.steps) and not plan.completes and not plan.steps[-1].gates


def _reached(rollout: Rollout) -> Moved | None:
    """Its step has its weight: the gates have the word, if there are any."""
    if rollout.plan.steps[rollout.step].gates:
        waiting = replace(rollout, phase=Phase.WAITING, gates_ms=max(rollout.settled_ms, rollout.began_ms))
        return Moved(waiting, "waiting", {"weight": rollout.timeline[-1].weight})
    return _next(rollout, rollout.settled_ms, None)


def _next(rollout: Rollout, now_ms: int, evidence: Mapping[str, Json] | None) -> Moved | None:
    detail = dict(evidence or {})
    if rollout.step + 1 < len(rollout.plan.steps):
        return Moved(gone_on(rollout, now_ms), "advanced", detail)
    if not rollout.plan.completes:
        return None
    return Moved(_ended(rollout, Phase.COMPLETED, Outcome.KEPT, ""), "completed", detail)


def _closed(rollout: Rollout) -> Moved:
    """Its window is over for good."""
    keep = rollout.at_end is AtEnd.KEEP
    outcome, reason = (Outcome.KEPT if keep else Outcome.REVERTED), "its window is over"
    return Moved(_ended(rollout, Phase.COMPLETED, outcome, reason), "completed", _why(reason))


def _begun(rollout: Rollout, step: int, now_ms: int, *, at_once: bool = False) -> Rollout:
    """The rollout in a step that begins now. Its revision comes with the change that is made of this."""
    return replace(
        rollout,
        phase=Phase.PROGRESSING,
        step=step,
        timeline=laid_out(rollout.plan.steps[step], rollout.timeline, now_ms, at_once=at_once),
        began_ms=now_ms,
        revision=0,
        gates_ms=None,
        paused_ms=None,
    )


def _ended(rollout: Rollout, phase: Phase, outcome: Outcome, reason: str) -> Rollout:
    return replace(rollout, phase=phase, outcome=outcome, reason=reason, gates_ms=None, paused_ms=None)


def _why(reason: str) -> dict[str, Json]:
    return {"reason": reason} if reason else {}

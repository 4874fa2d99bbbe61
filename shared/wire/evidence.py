"""What an agent has to say of candidates: whether its application is healthy with them, and how their uses ended."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from shared.domain.codec import Json

MAX_EXPOSED = 100
"""Rollouts that one report names for the health of its application."""
MAX_OUTCOMES = 500
"""Counts of outcomes in one report; more wait for the next."""
MAX_DETAIL = 500
MAX_COUNT = 2**53
MAX_STEP = 10_000
MAX_INCARNATION = 64
STATUSES = ("healthy", "unhealthy", "unknown")


@dataclass(frozen=True, slots=True)
class ExposedTo:
    """A rollout that this instance serves the candidate of, and its step."""

    rollout: str
    step: int


@dataclass(frozen=True, slots=True)
class ApplicationHealth:
    """How the application is, since when (unix milliseconds), and with which candidates."""

    status: str
    since: int
    detail: str = ""
    exposed: tuple[ExposedTo, ...] = ()


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """How uses of one arm of a rollout ended in the few seconds from `at` (unix milliseconds) on."""

    rollout: str
    arm: str
    at: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One batch. It is sent until it is received: `sequence` rises from batch to batch of one life of the agent.

    `incarnation` is that life's name: a clock that was set back before a restart makes no new batch look like an old one.
    """

    incarnation: str
    sequence: int
    health: ApplicationHealth | None = None
    outcomes: tuple[OutcomeCounts, ...] = ()

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read a decoded batch.

        Raises:
            ValueError: it is none, or larger than any that an agent sends.
        """
        health, outcomes = document.get("health"), document.get("outcomes") or ()
        if len(outcomes) > MAX_OUTCOMES:
            msg = f"at most {MAX_OUTCOMES} counts of outcomes in one report"
            raise ValueError(msg)
        return cls(
            _name(document["incarnation"]),
            _whole(document["sequence"]),
            None if health is None else _health(health),
            tuple(_counts(each) for each in outcomes),
        )


def _health(document: Json) -> ApplicationHealth:
    exposed = document.get("exposed") or ()
    if document["status"] not in STATUSES or len(exposed) > MAX_EXPOSED:
        msg = f"health is one of {', '.join(STATUSES)}, with at most {MAX_EXPOSED} rollouts"
        raise ValueError(msg)
    named = tuple(ExposedTo(_id(each["rollout"]), _whole(each["step"], MAX_STEP)) for each in exposed)
    return ApplicationHealth(
        document["status"], _whole(document["since"]), str(document.get("detail", ""))[:MAX_DETAIL], named
    )


def _counts(document: Json) -> OutcomeCounts:
    if document["arm"] not in {"candidate", "baseline"}:
        msg = "an arm is candidate or baseline"
        raise ValueError(msg)
    numbers = (_whole(document[name]) for name in ("at", "succeeded", "failed"))
    return OutcomeCounts(_id(document["rollout"]), document["arm"], *numbers)


def _name(text: Json) -> str:
    if not isinstance(text, str) or not text.isalnum() or len(text) > MAX_INCARNATION:
        msg = f"a life of an agent is named by 1 to {MAX_INCARNATION} letters and digits"
        raise ValueError(msg)
    return text


def _id(text: Json) -> str:
    if not isinstance(text, str):
        msg = "a rollout is named by its id"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for everything that cannot be read
    return str(UUID(text))


def _whole(number: Json, most: int = MAX_COUNT) -> int:
    if type(number) is not int or not 0 <= number <= most:
        msg = f"a whole number from 0 to {most}"
        raise ValueError(msg)
    return number

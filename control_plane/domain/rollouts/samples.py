"""Who would get a rollout's candidate, and from which step on: the very evaluation of the agents, on plans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.domain.bucketing import BUCKETINGS, unit_text
from shared.domain.codec import canonical, decode
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.exposure import Exposure, parse_exposure
from shared.domain.program import Program
from shared.domain.resolution import Arm, Effective
from shared.domain.scope import Level
from shared.domain.split import TARGETING_KEY

_PROBE = "~"
"""A key that no config can have."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """What agents would hold in a step (canonical JSON), and when that begins."""

    exposure: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class Sample:
    """For one who asks: in which steps it would be the candidate, and the bucket of its unit, if it has one."""

    candidate: tuple[bool, ...]
    bucket: int | None

    @property
    def candidate_from(self) -> int | None:
        """The first step with the candidate; None for never."""
        return next((index for index, each in enumerate(self.candidate) if each), None)


class Sampling:
    """The steps of a rollout in what one app/environment sees.

    Whatever the candidate is, who gets it is told by the exposure alone; so it is looked at over a value of its own,
    beside the configs and segments that it may refer to.
    """

    def __init__(self, effective: Mapping[str, Effective], steps: Sequence[Exposed]) -> None:
        base = Program.of(effective)
        self._steps = steps
        self._exposures = [parse_exposure(decode(each.exposure)) for each in steps]
        self._programs = [base.after({**effective, _PROBE: _probe(each.exposure)}, [_PROBE]) for each in steps]

    def of(self, context: EvaluationContext) -> Sample:
        """Who asks, at each step."""
        found = [
            program.evaluate(_PROBE, context, step.at_ms)
            for program, step in zip(self._programs, self._steps, strict=True)
        ]
        bucket = bucket_of(self._exposures[0], context) if self._exposures else None
        return Sample(tuple(each is not None and each.arm == Arm.CANDIDATE for each in found), bucket)


def bucket_of(exposure: Exposure, context: EvaluationContext) -> int | None:
    """The bucket of who asks; None without the unit."""
    attribute = exposure.attribute
    value = context.targeting_key if attribute == TARGETING_KEY else context.attributes.get(attribute)
    text = unit_text(value)
    try:
        return None if text is None else BUCKETINGS[exposure.bucketing](exposure.salt)(text)
    except UnicodeEncodeError:
        return None


def _probe(exposure: bytes) -> Effective:
    told = canonical(decode(exposure) | {"kind": Kind.VALUE, "candidate": True})
    return Effective(Level.ENVIRONMENT, Entry(_PROBE, Kind.VALUE, b"false", 0, 0, rollout=told))

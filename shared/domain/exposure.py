"""Exposures: who sees a rollout's candidate at which moment. All of a rollout that agents need, and nothing else."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from shared.domain.bucketing import BUCKETINGS, DEFAULT, WHOLE
from shared.domain.codec import Json, MalformedJsonError, canonical, decode
from shared.domain.condition import Condition, parse_segment
from shared.domain.document import DocumentError, Faults, child
from shared.domain.entry import WITH_VALUE, Entry, Kind
from shared.domain.flag import parse_flag, read_when
from shared.domain.resolution import Effective
from shared.domain.split import MAX_ATTRIBUTE, MAX_SALT, TARGETING_KEY

MISUNDERSTOOD = (MalformedJsonError, DocumentError, RecursionError)
"""What reading the documents of an entry may raise."""

SCHEMA = 1
"""The form that this program writes and understands."""
MAX_MOMENTS = 1_000
"""Weights of one timeline."""
MAX_WORD = 64
"""Characters of a rollout's id, strategy and phase."""
LAST_MOMENT = 253_402_300_799_999
"""The end of the year 9999 in unix milliseconds."""
INSTANCE = "instance"
"""The unit of rollouts over agents: an attribute that only the agent itself sets."""
INSTANCE_ATTRIBUTE = "agent.instance"


@dataclass(frozen=True, slots=True)
class Exposure:
    """A candidate (canonical JSON of its kind), and who gets it: when ∧ window ∧ bucket(unit) < weight at the moment.

    `at` are moments in unix milliseconds, rising, and `weights[i]` holds from `at[i]` on; before the first nobody is
    exposed. The window is `[start, end)`.
    """

    id: str
    strategy: str
    phase: str
    step: int
    kind: str
    candidate: bytes
    salt: str
    unit: str
    bucketing: str
    at: tuple[int, ...]
    weights: tuple[int, ...]
    when: Condition | None
    start: int | None
    end: int | None

    def weight(self, now_ms: int) -> int:
        """How many of 100,000 are exposed at a moment."""
        index = bisect_right(self.at, now_ms)
        return self.weights[index - 1] if index else 0

    def is_open(self, now_ms: int) -> bool:
        """Whether the window is open at a moment."""
        return (self.start is None or now_ms >= self.start) and (self.end is None or now_ms < self.end)

    @property
    def conditional(self) -> bool:
        """Whether it lets in only some, at whatever weight."""
        return self.when is not None or self.start is not None or self.end is not None

    @property
    def moments(self) -> tuple[int, ...]:
        """When the clock changes what somebody gets, rising."""
        edges = (each for each in (self.start, self.end) if each is not None)
        return tuple(sorted({*self.at, *edges}))

    @property
    def attribute(self) -> str:
        """The attribute that is bucketed."""
        return INSTANCE_ATTRIBUTE if self.unit == INSTANCE else self.unit


def parse_exposure(document: Json, pointer: str = "") -> Exposure:
    """Read an exposure. Members that it does not know are ignored: a newer control plane may have more to say.

    Raises:
        DocumentError: it is of another schema, or is not one; every fault is told.
    """
    faults = Faults()
    members = faults.members(document, pointer, None)
    if members and members.get("schema") != SCHEMA:
        faults.add(child(pointer, "schema"), f"must be {SCHEMA}")
        faults.refuse()
    id_, strategy, phase = (
        faults.text(members.get(name), child(pointer, name), MAX_WORD) for name in ("id", "strategy", "phase")
    )
    at, weights = _timeline(members.get("weights"), child(pointer, "weights"), faults)
    start, end = _window(members.get("window", {}), child(pointer, "window"), faults)
    exposure = Exposure(
        id=id_,
        strategy=strategy,
        phase=phase,
        step=faults.number(members.get("step"), child(pointer, "step"), LAST_MOMENT),
        kind=faults.choice(members.get("kind"), child(pointer, "kind"), sorted(WITH_VALUE)),
        candidate=_candidate(members, pointer, faults),
        salt=faults.text(members.get("salt"), child(pointer, "salt"), MAX_SALT, empty=True),
        unit=faults.text(members.get("unit", TARGETING_KEY), child(pointer, "unit"), MAX_ATTRIBUTE),
        bucketing=faults.choice(members.get("bucketing", DEFAULT), child(pointer, "bucketing"), BUCKETINGS),
        at=at,
        weights=weights,
        when=read_when(members, pointer, faults),
        start=start,
        end=end,
    )
    faults.refuse()
    return exposure


def exposure_of(entry: Entry) -> Exposure | None:
    """The exposure over an entry, if there is one; its candidate can be understood as well.

    Raises:
        MalformedJsonError, DocumentError: it cannot be.
    """
    if not entry.rollout:
        return None
    exposure = parse_exposure(decode(entry.rollout))
    if exposure.kind == Kind.FLAG:
        parse_flag(decode(exposure.candidate), entry.key, "/candidate")
    elif exposure.kind == Kind.SEGMENT:
        parse_segment(decode(exposure.candidate), "/candidate")
    return exposure


def is_segment(effective: Effective) -> bool:
    """Whether it is a segment that answers: one with nothing of its own is what it stands over, or its candidate."""
    entry, below = effective.entry, effective.below
    if entry.kind != Kind.INHERIT:
        return entry.kind == Kind.SEGMENT
    if below is not None:
        return is_segment(below)
    try:
        exposure = exposure_of(entry)
    except MISUNDERSTOOD:
        return False
    return exposure is not None and exposure.kind == Kind.SEGMENT


def _candidate(members: Mapping[str, Json], pointer: str, faults: Faults) -> bytes:
    if "candidate" not in members:
        faults.add(child(pointer, "candidate"), "must be given")
        return b""
    try:
        return canonical(members["candidate"])
    except MalformedJsonError as error:
        faults.add(child(pointer, "candidate"), str(error))
        return b""


def _timeline(document: Json, pointer: str, faults: Faults) -> tuple[tuple[int, ...], tuple[int, ...]]:
    at: list[int] = []
    weights: list[int] = []
    for index, each in enumerate(faults.items(document, pointer, MAX_MOMENTS)):
        if not isinstance(each, list) or len(each) != 2:  # noqa: PLR2004 - the moment and the weight
            faults.add(f"{pointer}/{index}", "must be a moment and a weight: [unix milliseconds, 0 to 100,000]")
            continue
        at.append(faults.number(each[0], f"{pointer}/{index}/0", LAST_MOMENT))
        weights.append(faults.number(each[1], f"{pointer}/{index}/1", WHOLE))
    if any(later <= earlier for earlier, later in pairwise(at)):
        faults.add(pointer, "the moments must rise")
    return tuple(at), tuple(weights)


def _window(document: Json, pointer: str, faults: Faults) -> tuple[int | None, int | None]:
    members = faults.members(document, pointer, None)
    start, end = (
        None if members.get(name) is None else faults.number(members[name], child(pointer, name), LAST_MOMENT)
        for name in ("start", "end")
    )
    if start is not None and end is not None and end <= start:
        faults.add(pointer, "must end after it starts")
    return start, end

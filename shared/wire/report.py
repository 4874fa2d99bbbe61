"""What an agent tells the control plane about itself: the fleet's view and convergence are made of it."""

from dataclasses import asdict, dataclass, field
from typing import Self

from shared.domain.codec import Json, encode
from shared.domain.scope import Level, Revisions, is_key, is_name
from shared.wire.clock_skew import ClockSkew
from shared.wire.evidence import Evidence
from shared.wire.remark import Remark, remarks_of
from shared.wire.unsupported import Unsupported, unsupported_of

MAX_LABELS = 32
MAX_TEXT = 1_000
MAX_COUNTED_KEYS = 1_000
MAX_COUNT = 2**53


@dataclass(frozen=True, slots=True)
class Rejection:
    """A change that the agent would not apply; it keeps what it had."""

    revision: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReadCounts:
    """How often applications read which config since the report before.

    `keys` are reads of one config each, `bulk` those of many at once. `waiting` is how many keys more were read than one
    report may name; they come with the next.
    """

    keys: dict[str, int] = field(default_factory=dict)
    bulk: int = 0
    waiting: int = 0

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read decoded counts."""
        keys = document["keys"]
        if len(keys) > MAX_COUNTED_KEYS or not all(map(is_key, keys)):
            msg = f"reads counts at most {MAX_COUNTED_KEYS} keys"
            raise ValueError(msg)
        return cls(
            {key: _count(reads) for key, reads in keys.items()},
            _count(document.get("bulk", 0)),
            _count(document.get("waiting", 0)),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """One agent's state. `state` is the agent's word for it (`hydrating`, `stale`, `live`).

    `reads` is None from an agent that does not count them; `health` is the application's, "" where nobody asks it.
    `evidence` is what there is to say of candidates; `clock_skew` is None until it was measured; `unsupported` are the configs
    that the agent holds and cannot understand; `remarks` are what else operators should know of it.
    """

    instance: str
    app_id: str
    environment: str
    agent_version: str
    revisions: Revisions
    state: str
    transport: str
    labels: dict[str, str] = field(default_factory=dict)
    rejection: Rejection | None = None
    reads: ReadCounts | None = None
    health: str = ""
    evidence: Evidence | None = None
    clock_skew: ClockSkew | None = None
    unsupported: tuple[Unsupported, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def encode(self) -> bytes:
        """The report's bytes."""
        return encode(
            {
                **asdict(self),
                "revision": self.revisions.latest,
                "revisions": dict(self.revisions.by_level()),
            }
        )

    @classmethod
    def from_document(cls, document: Json) -> Self:
        """Read a decoded report.

        Raises:
            ValueError: a field is missing, of the wrong type or too large; the text says which.
        """
        try:
            rejection = document.get("rejection")
            labels = document.get("labels") or {}
            if len(labels) > MAX_LABELS:
                msg = f"at most {MAX_LABELS} labels"
                raise ValueError(msg)
            report = cls(
                instance=_text(document["instance"], "instance"),
                app_id=document["app_id"],
                environment=document["environment"],
                agent_version=_text(document["agent_version"], "agent_version"),
                revisions=Revisions(*(int(document["revisions"][level]) for level in Level)),
                state=_text(document["state"], "state"),
                transport=_text(document["transport"], "transport"),
                labels={_text(k, "label"): _text(v, f"label {k}") for k, v in labels.items()},
                rejection=rejection and Rejection(int(rejection["revision"]), str(rejection["reason"])[:MAX_TEXT]),
                health=str(document.get("health") or "")[:MAX_TEXT],
                evidence=None if (evidence := document.get("evidence")) is None else Evidence.from_document(evidence),
                clock_skew=None if (skew := document.get("clock_skew")) is None else ClockSkew.from_document(skew),
                unsupported=unsupported_of(document.get("unsupported")),
                remarks=remarks_of(document.get("remarks")),
                reads=None if (reads := document.get("reads")) is None else ReadCounts.from_document(reads),
            )
        except (LookupError, TypeError, AttributeError) as error:
            msg = f"not a report: {type(error).__name__}: {error}"
            raise ValueError(msg) from error
        if not (is_name(report.app_id) and is_name(report.environment)):
            msg = "app_id and environment are names"
            raise ValueError(msg)
        return report


def _count(value: Json) -> int:
    if not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        msg = f"a count is a whole number from 0 to {MAX_COUNT}"
        raise ValueError(msg)
    return value


def _text(value: Json, what: str) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT:
        msg = f"{what} is a text of 1 to {MAX_TEXT} characters"
        raise ValueError(msg)
    return value

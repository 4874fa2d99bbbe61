"""What conditions may refer to, from plain dictionaries: segments by their documents, configs by their values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.domain.codec import Json, canonical
from shared.domain.condition import parse_segment
from shared.domain.condition_compiler import compile_condition
from shared.domain.condition_interpreter import explain_condition
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.references import MAX_FOLLOWED, References, UnresolvedError
from shared.domain.resolution import Effective, Reason, Resolution
from shared.domain.scope import Level


@dataclass(frozen=True)
class FixedReferences:
    """Implements `References` for tests of conditions alone; segments are compiled, or else read plainly."""

    segments: Mapping[str, Json] = field(default_factory=dict)
    configs: Mapping[str, Json] = field(default_factory=dict)
    compiled: bool = True
    depth: int = 0

    def following(self) -> References:
        return self

    def segment(self, key: str, context: EvaluationContext, now_ms: int) -> bool:
        if key not in self.segments or self.depth == MAX_FOLLOWED:
            raise UnresolvedError
        condition, deeper = parse_segment(self.segments[key]), replace(self, depth=self.depth + 1)
        if self.compiled:
            return compile_condition(condition)(context, now_ms, deeper)
        return explain_condition(condition, context, now_ms, deeper)[0]

    def config(self, key: str, _context: EvaluationContext, _now_ms: int) -> Resolution | None:
        if key not in self.configs:
            return None
        value = canonical(self.configs[key])
        effective = Effective(Level.GLOBAL, Entry(key, Kind.VALUE, value, 1, 1))
        return Resolution(value, None, Reason.STATIC, None, effective)


def context_of(document: Json) -> EvaluationContext:
    """The context of a request's body."""
    attributes = {name: value for name, value in document.items() if name not in {"targetingKey", "groups"}}
    return EvaluationContext(document.get("targetingKey"), tuple(document.get("groups", ())), attributes)

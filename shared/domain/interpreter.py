"""The plain, slow reading of the documents that `shared.domain.decision` compiles, writing down each of its steps.

People read it to see why they get what they get; tests hold the compiled form against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from shared.domain.bucketing import BUCKETINGS, WHOLE, unit_text
from shared.domain.codec import Json, decode
from shared.domain.condition import Condition, parse_segment
from shared.domain.condition_interpreter import explain_condition, told
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.exposure import MISUNDERSTOOD, Exposure, exposure_of, is_segment
from shared.domain.flag import Flag, Rule, parse_flag, salvage_flag
from shared.domain.outcome import Side
from shared.domain.references import MAX_FOLLOWED, UnresolvedError
from shared.domain.resolution import Arm, Effective, ErrorCode, Reason, Resolution
from shared.domain.split import TARGETING_KEY, Split

Step: TypeAlias = dict[str, Json]
"""One step of a decision, for people."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a config yields what it does, as a JSON document without values, and what it yields (None: nothing)."""

    document: Step
    resolution: Resolution | None


class Interpreter:
    """Reads what one app/environment sees, for one who asks at one moment."""

    def __init__(self, effective: Mapping[str, Effective], context: EvaluationContext, now_ms: int) -> None:
        self._effective, self._context, self._now = effective, context, now_ms

    def explain(self, key: str) -> Explanation | None:
        """Each step of the decision about a key; None if there is none of this key to be read."""
        effective = self._effective.get(key)
        if effective is None or is_segment(effective):
            return None
        reading = _Reading(self._effective, self._context, self._now, _Found())
        resolution = reading.entry(effective, None)
        document: Step = {"key": key, "at": self._now, "steps": reading.steps}
        if resolution is not None:
            document["resolution"] = _shown(resolution)
        return Explanation(document, resolution)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found already of what others refer to, each of which is looked up once."""

    segments: dict[str, bool] = field(default_factory=dict)
    configs: dict[str, Resolution | None] = field(default_factory=dict)


class _Reading:
    """One reading at some depth of references, with the steps that it took."""

    def __init__(
        self, effective: Mapping[str, Effective], context: EvaluationContext, now_ms: int, found: _Found, depth: int = 0
    ) -> None:
        self._effective, self._context, self._now, self._found, self._depth = effective, context, now_ms, found, depth
        self.steps: list[Step] = []

    def following(self) -> "_Reading":
        """This very reading: it looks each key up once."""
        return self

    def segment(self, key: str, context: EvaluationContext, now_ms: int) -> bool:
        """Whether who asks belongs to a segment, as conditions refer to it."""
        if (found := self._found.segments.get(key)) is not None:
            self.steps.append({"segment": key, "matched": found})
            return found
        effective = self._effective.get(key)
        if effective is None or not is_segment(effective):
            raise UnresolvedError
        deeper = self._deeper(context, now_ms)
        step: Step = {"segment": key, "version": effective.entry.version, "steps": deeper.steps}
        self.steps.append(step)
        step["matched"] = matched = self._found.segments[key] = deeper.audience(effective)
        return matched

    def config(self, key: str, context: EvaluationContext, now_ms: int) -> Resolution | None:
        """What another config yields, as conditions refer to it."""
        if key in self._found.configs:
            resolution = self._found.configs[key]
            self.steps.append(
                {"config": key} if resolution is None else {"config": key, "resolution": _shown(resolution)}
            )
        else:
            resolution = self._found.configs[key] = self._config(key, context, now_ms)
        if resolution is not None and resolution.reason in (Reason.ERROR, Reason.UNKNOWN):
            raise UnresolvedError
        return resolution

    def _config(self, key: str, context: EvaluationContext, now_ms: int) -> Resolution | None:
        effective, deeper = self._effective.get(key), self._deeper(context, now_ms)
        if effective is None or is_segment(effective):
            return None
        step: Step = {"config": key, "steps": deeper.steps}
        self.steps.append(step)
        resolution = deeper.entry(effective, None)
        if resolution is not None:
            step["resolution"] = _shown(resolution)
        return resolution

    def entry(self, effective: Effective, side: Side | None) -> Resolution | None:
        """What an entry yields; on a side of a rollout above it, its own rollout decides in that one's name."""
        entry = effective.entry
        step: Step = {
            "scope": effective.level,
            "kind": entry.kind,
            "version": entry.version,
            "revision": entry.revision,
        }
        self.steps.append(step)
        exposure = self._exposure(entry, step)
        if exposure is not None and exposure.kind == Kind.SEGMENT:
            step["unsupported"] = "a segment cannot be the candidate of a config"
        elif exposure is not None:
            taken = self._side(exposure)
            side = side or taken
            if taken.arm == Arm.CANDIDATE:
                return self._content(exposure.kind, exposure.candidate, effective, side)
        if entry.kind == Kind.INHERIT:
            return None if effective.below is None else self.entry(effective.below, side)
        return None if entry.kind == Kind.MASK else self._content(entry.kind, entry.value, effective, side)

    def audience(self, effective: Effective) -> bool:
        """Whether who asks belongs to the segment of an entry."""
        step: Step = {"scope": effective.level, "kind": effective.entry.kind}
        self.steps.append(step)
        exposure = self._exposure(effective.entry, step)
        value = effective.entry.value
        if exposure is not None and exposure.kind != Kind.SEGMENT:
            step["unsupported"] = "the candidate of a segment must be a segment"
            exposure = None
        if exposure is not None and self._side(exposure).arm == Arm.CANDIDATE:
            value = exposure.candidate
        elif effective.entry.kind == Kind.INHERIT:
            if effective.below is None:
                raise UnresolvedError
            return self.audience(effective.below)
        try:
            condition = parse_segment(decode(value))
        except MISUNDERSTOOD as error:
            step["unsupported"] = str(error)
            raise UnresolvedError from error
        return self._matches(condition, step)

    def _deeper(self, context: EvaluationContext, now_ms: int) -> "_Reading":
        if self._depth == MAX_FOLLOWED:
            raise UnresolvedError
        return _Reading(self._effective, context, now_ms, self._found, self._depth + 1)

    def _exposure(self, entry: Entry, step: Step) -> Exposure | None:
        try:
            return exposure_of(entry)
        except MISUNDERSTOOD as error:
            step["unsupported"] = str(error)
            return None

    def _side(self, exposure: Exposure) -> Side:
        step: Step = {
            "rollout": exposure.id,
            "strategy": exposure.strategy,
            "phase": exposure.phase,
            "step": exposure.step,
            "weight": exposure.weight(self._now),
        }
        self.steps.append(step)
        arm, reason, error = self._decided(exposure, step)
        step["arm"] = arm
        return Side(exposure.id, arm, reason, error)

    def _decided(self, exposure: Exposure, step: Step) -> tuple[Arm, Reason, ErrorCode | None]:
        try:
            let_in = self._let_in(exposure, step)
        except UnresolvedError:
            step["unresolved"] = True
            return Arm.BASELINE, Reason.DEFAULT, ErrorCode.GENERAL
        weight = exposure.weight(self._now)
        if not let_in or weight == 0:
            return Arm.BASELINE, Reason.DEFAULT, None
        if weight == WHOLE:
            return Arm.CANDIDATE, Reason.TARGETING_MATCH if exposure.conditional else Reason.STATIC, None
        bucket = self._bucket(exposure.attribute, exposure.bucketing, exposure.salt, step)
        if bucket is None:
            return Arm.BASELINE, Reason.DEFAULT, ErrorCode.TARGETING_KEY_MISSING
        return Arm.CANDIDATE if bucket < weight else Arm.BASELINE, Reason.SPLIT, None

    def _let_in(self, exposure: Exposure, step: Step) -> bool:
        if exposure.start is not None or exposure.end is not None:
            step["window"] = {"start": exposure.start, "end": exposure.end, "open": exposure.is_open(self._now)}
        return exposure.is_open(self._now) and (exposure.when is None or self._matches(exposure.when, step))

    def _bucket(self, attribute: str, bucketing: str, salt: str, step: Step) -> int | None:
        context = self._context
        value = context.targeting_key if attribute == TARGETING_KEY else context.attributes.get(attribute)
        step |= {"unit": attribute, "unit_value": told(value), "bucketing": bucketing, "salt": salt, "bucket": None}
        text = unit_text(value)
        if text is None:
            return None
        try:
            step["bucket"] = bucket = BUCKETINGS[bucketing](salt)(text)
        except UnicodeEncodeError:
            return None
        return bucket

    def _content(self, kind: str, value: bytes, effective: Effective, side: Side | None) -> Resolution:
        if kind == Kind.VALUE:
            if side is None:
                return _resolution((value, None), Reason.STATIC, effective, side)
            return _resolution((value, side.arm), side.reason, effective, side)
        if effective.entry.sensitive and not value:
            return _resolution((b"", None), Reason.UNKNOWN, effective, side)
        if kind == Kind.FLAG:
            return self._flag(value, effective, side)
        self.steps.append({"unsupported": f"the kind {kind!r} is not known"})
        return _resolution((b"", None), Reason.ERROR, effective, side, ErrorCode.PARSE_ERROR)

    def _flag(self, value: bytes, effective: Effective, side: Side | None) -> Resolution:
        step: Step = {"flag": effective.entry.key}
        self.steps.append(step)
        try:
            flag = parse_flag(decode(value), effective.entry.key)
        except MISUNDERSTOOD as fault:
            step["unsupported"] = str(fault)
            return _salvaged(value, effective, side)
        step["on"] = flag.on
        if not flag.on:
            return _resolution((flag.variants[flag.off], flag.off), Reason.DISABLED, effective, side)
        if not flag.rules:
            return _resolution((flag.variants[flag.default], flag.default), Reason.STATIC, effective, side)
        variant, reason, error = self._rules(flag, step)
        step["variant"] = variant
        return _resolution((flag.variants[variant], variant), reason, effective, side, error)

    def _rules(self, flag: Flag, step: Step) -> tuple[str, Reason, ErrorCode | None]:
        step["rules"] = tried = []
        for index, rule in enumerate(flag.rules):
            trial: Step = {"rule": index, "name": rule.name}
            tried.append(trial)
            try:
                trial["matched"] = matched = rule.when is None or self._matches(rule.when, trial)
            except UnresolvedError:
                trial["unresolved"] = True
                return flag.default, Reason.DEFAULT, ErrorCode.GENERAL
            if matched:
                return self._served(rule, flag, trial)
        return flag.default, Reason.DEFAULT, None

    def _served(self, rule: Rule, flag: Flag, trial: Step) -> tuple[str, Reason, ErrorCode | None]:
        if not isinstance(rule.serve, Split):
            return rule.serve, Reason.TARGETING_MATCH, None
        split = rule.serve
        bucket = self._bucket(split.unit, split.bucketing, split.salt, trial)
        if bucket is None:
            return flag.default, Reason.DEFAULT, ErrorCode.TARGETING_KEY_MISSING
        return next(v for v, end in zip(split.variants, split.ends, strict=True) if bucket < end), Reason.SPLIT, None

    def _matches(self, condition: Condition, step: Step) -> bool:
        matched, step["when"] = explain_condition(condition, self._context, self._now, self)
        return matched


def _resolution(
    what: tuple[bytes, str | None],
    reason: Reason,
    effective: Effective,
    side: Side | None,
    error: ErrorCode | None = None,
) -> Resolution:
    value, variant = what
    if side is None:
        return Resolution(value, variant, reason, error, effective)
    return Resolution(value, variant, reason, error or side.error, effective, side.rollout, side.arm)


def _salvaged(value: bytes, effective: Effective, side: Side | None) -> Resolution:
    try:
        found = salvage_flag(decode(value))
    except MISUNDERSTOOD:
        found = None
    if found is None:
        return _resolution((b"", None), Reason.ERROR, effective, side, ErrorCode.PARSE_ERROR)
    variant, name, on = found
    reason = Reason.DEFAULT if on else Reason.DISABLED
    return _resolution((variant, name), reason, effective, side, ErrorCode.PARSE_ERROR)


def _shown(resolution: Resolution) -> Step:
    return {
        "variant": resolution.variant,
        "reason": resolution.reason,
        "error": resolution.error,
        "rollout": resolution.rollout,
        "arm": resolution.arm,
        "scope": resolution.effective.level,
        "version": resolution.effective.entry.version,
    }

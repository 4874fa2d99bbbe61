"""What must hold of every flag, exposure, context and moment there can be."""

from dataclasses import replace
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.bucketing import BUCKETINGS, WHOLE, trimtab
from shared.domain.codec import Json, canonical, encode
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.program import Program
from shared.domain.resolution import Arm, Effective, Resolution
from shared.domain.scope import Level

NAMES = st.sampled_from(["country", "plan", "age", "company", "agent.instance", "targetingKey", "groups"])
WORDS = st.sampled_from(["", "SE", "NO", "beta", "alice", "bob", "7", "true", "zoë", "2.10.0", "1.9.0-rc.1"])
SCALARS = st.one_of(WORDS, st.integers(-9, 9), st.booleans(), st.none(), st.sampled_from([0.5, 7.0, -0.0, 1e300]))
KEYS = st.sampled_from(["a", "b", "c", "missing"])
WEIGHTS = st.one_of(st.sampled_from([0, 1, 50_000, 99_999, WHOLE]), st.integers(0, WHOLE))
MOMENTS = st.integers(0, 50)
UNITS = st.sampled_from(["targetingKey", "instance", "company", "age", "groups"])
HALF = st.just("half of a pair: \ud800")
ATTRIBUTES = st.one_of(SCALARS, HALF, st.lists(st.one_of(SCALARS, HALF), max_size=3))


def _is_given(value: Json) -> bool:
    return value is not None


CONTEXTS = st.builds(
    EvaluationContext,
    st.one_of(st.none(), WORDS, st.text(max_size=6), st.just("\ud800")),
    st.lists(WORDS, max_size=3).map(tuple),
    st.dictionaries(NAMES.filter(lambda name: name not in ("targetingKey", "groups")), ATTRIBUTES, max_size=4),
)
OPS = st.sampled_from(["eq", "in", "ne", "not_in"])
COMPARISONS = st.one_of(
    st.fixed_dictionaries({"op": OPS, "values": st.lists(WORDS, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"op": OPS, "values": st.lists(SCALARS.filter(_is_given), min_size=1, max_size=3)}),
    st.fixed_dictionaries({"op": st.sampled_from(["gt", "lte"]), "values": st.lists(st.integers(-9, 9), min_size=1)}),
    st.fixed_dictionaries({"op": st.just("semver_gte"), "values": st.just(["1.9.0"])}),
    st.fixed_dictionaries({"op": st.just("starts_with"), "values": st.just(["a", "1."])}),
    st.fixed_dictionaries({"op": st.just("matches"), "values": st.just(["^[a-z]+$"])}),
    st.fixed_dictionaries({"op": st.just("exists")}),
)
LEAVES = st.one_of(
    st.builds(lambda name, comparison: {"attribute": name} | comparison, NAMES, COMPARISONS),
    st.builds(lambda key, comparison: {"config": key} | comparison, KEYS, COMPARISONS),
    st.fixed_dictionaries({"segment": KEYS}),
)


def _nested(parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    some = st.lists(parts, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"all": some}),
        st.fixed_dictionaries({"any": some}),
        st.fixed_dictionaries({"not": parts}),
    )


CONDITIONS = st.recursive(LEAVES, _nested, max_leaves=5)
VARIANTS = ("x", "y", "z")


@st.composite
def splits(draw: st.DrawFn) -> Json:
    """The arms of a split, whose weights sum to all."""
    cuts = sorted(draw(st.lists(st.integers(0, WHOLE), max_size=3)))
    weights = [end - start for start, end in zip([0, *cuts], [*cuts, WHOLE], strict=True)]
    return [{"variant": draw(st.sampled_from(VARIANTS)), "weight": weight} for weight in weights]


RULES = st.one_of(
    st.fixed_dictionaries({"serve": st.sampled_from(VARIANTS)}, optional={"when": CONDITIONS}),
    st.fixed_dictionaries(
        {"split": splits()},
        optional={
            "when": CONDITIONS,
            "unit": UNITS,
            "salt": st.text("st", max_size=2),
            "bucketing": st.sampled_from(sorted(BUCKETINGS)),
        },
    ),
)
FLAGS = st.fixed_dictionaries(
    {"variants": st.just({"x": 1, "y": {"a": [2]}, "z": None}), "default": st.sampled_from(VARIANTS)},
    optional={
        "off": st.sampled_from(VARIANTS),
        "on": st.booleans(),
        "rules": st.lists(RULES, max_size=4),
        "unknown": st.just(1),
    },
)
SEGMENTS = st.fixed_dictionaries({"when": CONDITIONS})
DOCUMENTS = {"value": st.sampled_from([1, "v", None, [True]]), "flag": FLAGS, "segment": SEGMENTS}


@st.composite
def rollouts(draw: st.DrawFn) -> Json:
    """An exposure; once in a while one that is not understood."""
    kind = draw(st.sampled_from(["value", "flag", "segment"]))
    at = sorted(draw(st.sets(MOMENTS, min_size=1, max_size=4)))
    members = {
        "schema": draw(st.sampled_from([1, 1, 1, 1, 2])),
        "id": draw(st.sampled_from(["r1", "r2"])),
        "strategy": "percentage",
        "phase": "progressing",
        "step": 0,
        "kind": kind,
        "candidate": draw(DOCUMENTS[kind]),
        "salt": draw(st.text("st", max_size=2)),
        "unit": draw(UNITS),
        "bucketing": draw(st.sampled_from(sorted(BUCKETINGS))),
        "weights": [[moment, draw(WEIGHTS)] for moment in at],
    }
    if draw(st.booleans()):
        members["when"] = draw(CONDITIONS)
    if draw(st.booleans()):
        members["window"] = {"start": draw(st.integers(0, 25)), "end": draw(st.integers(26, 50))}
    return members


@st.composite
def effectives(
    draw: st.DrawFn, key: str, kinds: tuple[str, ...] = ("value", "flag", "segment", "inherit", "future")
) -> Effective:
    """What answers for a key, with or without a rollout."""
    kind = draw(st.sampled_from(kinds))
    value = canonical(draw(DOCUMENTS[kind])) if kind in DOCUMENTS else b""
    rollout = canonical(draw(rollouts())) if draw(st.booleans()) else b""
    entry = Entry(key, kind, value, 1, 1, rollout=rollout)
    below = draw(st.none() | effectives(key, ("value", "flag", "segment", "inherit"))) if kind == "inherit" else None
    return Effective(Level.ENVIRONMENT, entry, below)


CONFIGS = st.fixed_dictionaries({key: effectives(key) for key in ("a", "b", "c")})


def _told(resolution: Resolution | None) -> Json:
    if resolution is None:
        return None
    each = resolution
    return each.value, each.variant, each.reason, each.error, each.effective, each.rollout, each.arm


@given(CONFIGS, CONTEXTS, MOMENTS)
@settings(max_examples=400)
def test_compiled_and_interpreted_are_the_same(
    configs: dict[str, Effective], context: EvaluationContext, now_ms: int
) -> None:
    program = Program.of(configs)
    for key in configs:
        compiled = program.evaluate(key, context, now_ms)
        explanation = program.explain(key, context, now_ms)
        assert _told(compiled) == _told(explanation and explanation.resolution)
        assert explanation is None or encode(explanation.document)
        if (constant := program.constant(key)) is not None:
            assert compiled is constant
        assert program.evaluate(key, context, now_ms) is compiled


@given(CONFIGS, CONTEXTS, MOMENTS, MOMENTS)
def test_nothing_changes_between_the_moments_that_a_program_names(
    configs: dict[str, Effective], context: EvaluationContext, before: int, after: int
) -> None:
    program = Program.of(configs)
    before, after = sorted((before, after))
    moment = program.next_moment(before)
    if moment is None or after < moment:
        for key in configs:
            assert program.evaluate(key, context, before) is program.evaluate(key, context, after)


@given(CONFIGS, effectives("a"), CONTEXTS, MOMENTS)
def test_a_program_after_a_change_is_the_program_of_what_is_there(
    configs: dict[str, Effective], changed: Effective, context: EvaluationContext, now_ms: int
) -> None:
    later = configs | {"a": changed}
    del later["b"]
    after, fresh = Program.of(configs).after(later, ["a", "b"]), Program.of(later)
    for key in configs:
        assert _told(after.evaluate(key, context, now_ms)) == _told(fresh.evaluate(key, context, now_ms))
    assert after.unsupported == fresh.unsupported
    assert after.next_moment(0) == fresh.next_moment(0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=10,
)
BYTES = st.one_of(st.binary(max_size=40), JSON.map(encode), FLAGS.map(encode), st.just(b"[" * 2_000))


ENTRIES = st.builds(
    lambda kind, value, rollout, sensitive: Entry("a", kind, value, 1, 1, sensitive=sensitive, rollout=rollout),
    st.sampled_from([*Kind, "future"]),
    BYTES,
    BYTES,
    st.booleans(),
)


@given(ENTRIES, CONTEXTS, MOMENTS)
@settings(max_examples=400)
def test_no_bytes_whatsoever_raise(entry: Entry, context: EvaluationContext, now_ms: int) -> None:
    program = Program.of({"a": Effective(Level.GLOBAL, entry)})
    compiled = program.evaluate("a", context, now_ms)
    explanation = program.explain("a", context, now_ms)
    assert _told(compiled) == _told(explanation and explanation.resolution)


@given(rollouts(), st.data())
def test_damaging_one_member_of_an_exposure_never_raises(rollout: Json, data: st.DataObject) -> None:
    rollout[data.draw(st.sampled_from(sorted(rollout)))] = data.draw(JSON)
    entry = Entry("a", Kind.VALUE, b"1", 1, 1, rollout=encode(rollout))
    program = Program.of({"a": Effective(Level.GLOBAL, entry)})
    assert program.evaluate("a", EvaluationContext("alice"), 10) is not None
    assert program.explain("a", EvaluationContext("alice"), 10) is not None


def _exposed(weight: int, bucketing: str, salt: str) -> Program:
    rollout = {
        "schema": 1,
        "id": "r",
        "strategy": "percentage",
        "phase": "progressing",
        "step": 0,
        "kind": "value",
        "candidate": 1,
        "salt": salt,
        "bucketing": bucketing,
        "weights": [[0, weight]],
    }
    entry = Entry("a", Kind.VALUE, b"0", 1, 1, rollout=canonical(rollout))
    return Program.of({"a": Effective(Level.GLOBAL, entry)})


def _is_exposed(program: Program, unit: str) -> bool:
    found = program.evaluate("a", EvaluationContext(unit), 1)
    return found is not None and found.arm is Arm.CANDIDATE


@given(
    WEIGHTS,
    WEIGHTS,
    st.sampled_from(sorted(BUCKETINGS)),
    st.text(max_size=8),
    st.lists(st.text(max_size=8), max_size=20),
)
def test_raising_a_weight_moves_nobody_out(one: int, other: int, bucketing: str, salt: str, units: list[str]) -> None:
    lower, higher = (_exposed(weight, bucketing, salt) for weight in sorted((one, other)))
    for unit in units:
        assert _is_exposed(higher, unit) or not _is_exposed(lower, unit)


@given(st.sampled_from(sorted(BUCKETINGS)), st.text(max_size=8), st.text(max_size=8))
def test_a_bucket_is_from_0_to_99_999(bucketing: str, salt: str, unit: str) -> None:
    assert 0 <= BUCKETINGS[bucketing](salt)(unit) < WHOLE


def test_shares_are_what_the_weights_say() -> None:
    """A share of 20,000 users lies within five standard deviations of the weight, for every bucketing and many salts."""
    users = [f"user-{number}" for number in range(20_000)]
    for bucketing, made in BUCKETINGS.items():
        for salt in ("a", "checkout", "b7"):
            bucket = made(salt)
            buckets = [bucket(user) for user in users]
            for weight in (1_000, 10_000, 50_000, 90_000):
                share = sum(each < weight for each in buckets) / len(users)
                expected = weight / WHOLE
                deviation = (expected * (1 - expected) / len(users)) ** 0.5
                assert abs(share - expected) < 5 * deviation, (bucketing, salt, weight, share)


def test_two_salts_are_independent() -> None:
    """Of two rollouts of 30 % each, 9 % of 20,000 users are in both: within five standard deviations for 190 pairs."""
    users = [f"user-{number}" for number in range(20_000)]
    chosen = []
    for number in range(20):
        bucket = trimtab(f"flag-{number}")
        chosen.append({user for user in users if bucket(user) < 30_000})
    for one, other in combinations(chosen, 2):
        share = len(one & other) / len(users)
        assert abs(share - 0.09) < 5 * (0.09 * 0.91 / len(users)) ** 0.5


@given(CONFIGS, CONTEXTS, MOMENTS)
def test_what_is_sensitive_is_not_in_an_explanation(
    configs: dict[str, Effective], context: EvaluationContext, now_ms: int
) -> None:
    secret = Entry("a", Kind.VALUE, b'"hunter2"', 1, 1, sensitive=True)
    program = Program.of(configs | {"a": Effective(Level.GLOBAL, secret)})
    for key in configs:
        explanation = program.explain(key, replace(context, attributes={}), now_ms)
        assert explanation is None or b"hunter2" not in encode(explanation.document)

"""What must hold of every condition, and of whatever somebody sends for one."""

import base64
import string
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.domain.codec import Json, encode
from shared.domain.compaction import compacted
from shared.domain.condition import MAX_DEPTH, MAX_VALUES, parse_condition
from shared.domain.condition_compiler import compile_condition
from shared.domain.condition_interpreter import explain_condition
from shared.domain.context import EvaluationContext
from shared.domain.document import DocumentError
from shared.domain.members import MalformedMembersError, decode_members, digest, encode_members, member_test
from shared.domain.moment import instant
from shared.domain.operators import EXISTS, OPERATORS
from shared.domain.references import References, UnresolvedError
from shared.domain.semver import precedence
from tests.fakes.references import FixedReferences

NAMES = st.sampled_from(["a", "b", "targetingKey", "groups"])
TEXTS = st.one_of(
    st.sampled_from(["", "a", "b", "aa", "Zoë", "1", "1.0.0", "1.0.0-rc.1", "1.10.0+x", "2026-01-01T00:00:00Z"]),
    st.text(max_size=4),
)
NUMBERS = st.one_of(
    st.integers(-3, 3), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
VERSIONS = st.sampled_from(["0.0.0", "1.0.0-rc.1", "1.0.0", "1.0.0+b", "1.10.0", "2.0.0-0"])
MOMENTS = st.one_of(
    st.integers(-(10**15), 10**15), st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"])
)
PATTERNS = st.sampled_from(["a", "^a", "b$", ".", "^$", "\\d", "(?i)ZO", "a|b", "[^a]+"])
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans())
GIVEN = {
    **dict.fromkeys(("eq", "ne", "in", "not_in"), SCALARS),
    **dict.fromkeys(("contains", "starts_with", "ends_with"), TEXTS.filter(bool)),
    "matches": PATTERNS,
    **dict.fromkeys(("gt", "gte", "lt", "lte"), NUMBERS),
    **dict.fromkeys(("semver_eq", "semver_gt", "semver_gte", "semver_lt", "semver_lte"), VERSIONS),
    **dict.fromkeys(("before", "after"), MOMENTS),
}
WHATEVER = st.recursive(
    st.one_of(
        st.none(),
        SCALARS,
        st.integers(),
        VERSIONS,
        MOMENTS,
        st.just("\ud800"),
        st.just(float("nan")),
        st.just(float("inf")),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
ATTRIBUTES = st.one_of(WHATEVER, st.lists(SCALARS | st.none(), max_size=3).map(tuple))
CONTEXTS = st.builds(
    EvaluationContext,
    st.none() | TEXTS | st.just("\ud800"),
    st.lists(TEXTS, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from(["a", "b"]), ATTRIBUTES, max_size=2),
)
SOME_MEMBERS = st.lists(TEXTS, min_size=1, max_size=4).map(encode_members)


def _compared(subject: str, names: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    each = [
        st.fixed_dictionaries({subject: names, "op": st.just(op), "values": st.lists(values, min_size=1, max_size=3)})
        for op, values in GIVEN.items()
    ]
    return st.one_of(*each, st.fixed_dictionaries({subject: names, "op": st.just(EXISTS)}))


def _reads(document: Json) -> bool:
    try:
        parse_condition(document)
    except DocumentError:
        return False
    return True


LEAVES = st.one_of(
    _compared("attribute", NAMES).filter(_reads),
    st.fixed_dictionaries({"attribute": NAMES, "members": SOME_MEMBERS}),
    st.fixed_dictionaries({"segment": st.sampled_from(["s", "t", "missing"])}),
    _compared("config", st.sampled_from(["x", "y", "missing"])),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda part: st.one_of(
        st.fixed_dictionaries({"all": st.lists(part, min_size=1, max_size=4)}),
        st.fixed_dictionaries({"any": st.lists(part, min_size=1, max_size=4)}),
        st.fixed_dictionaries({"not": part}),
    ),
    max_leaves=6,
)
SEGMENTS = st.fixed_dictionaries(
    {"s": st.fixed_dictionaries({"when": CONDITIONS})}, optional={"t": st.just({"when": {"segment": "s"}})}
)
CONFIGS = st.dictionaries(
    st.sampled_from(["x", "y"]),
    st.one_of(
        st.none(),
        SCALARS,
        st.just([1, "a"]),
        st.just({"a": 1}),
    ),
)


def _outcome(
    test: Callable[[EvaluationContext, int, References], bool], context: EvaluationContext, references: References
) -> bool | None:
    try:
        return test(context, 0, references)
    except UnresolvedError:
        return None


@given(CONDITIONS, CONTEXTS, SEGMENTS, CONFIGS)
@settings(max_examples=500)
def test_the_compiled_form_decides_as_the_plain_reading(
    document: Json, context: EvaluationContext, segments: Json, configs: Json
) -> None:
    condition = parse_condition(document)
    plain, fast = (FixedReferences(segments, configs, compiled=compiled) for compiled in (False, True))
    expected = _outcome(lambda *asked: explain_condition(condition, *asked)[0], context, plain)
    found = _outcome(compile_condition(condition), context, fast)
    assert found is expected
    if expected is not None:
        assert encode(explain_condition(condition, context, 0, plain)[1])


@given(st.sampled_from(["eq", "in"]), NAMES, st.lists(SCALARS, min_size=1, max_size=3), CONTEXTS)
def test_ne_and_not_in_are_the_opposites_of_eq_and_in(
    op: str, name: str, values: list[Json], context: EvaluationContext
) -> None:
    positive = {"attribute": name, "op": op, "values": values}
    negative = positive | {"op": {"eq": "ne", "in": "not_in"}[op]}
    if _reads(positive):
        yes, no = (compile_condition(parse_condition(each)) for each in (positive, negative))
        assert yes(context, 0, FixedReferences()) is not no(context, 0, FixedReferences())


ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.sampled_from(["attribute", "op", "values", "members", "all", "any", "not", "segment", "config", "x"])
NEARLY = st.recursive(
    st.one_of(ANY_JSON, st.sampled_from([*OPERATORS, EXISTS]), SOME_MEMBERS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=20,
)


@given(st.one_of(ANY_JSON, NEARLY), CONTEXTS)
@example({"attribute": "a", "op": "before", "values": [10**400, 1e308]}, EvaluationContext())
@example({"attribute": "a", "op": "gt", "values": [float("inf"), float("nan")]}, EvaluationContext())
@settings(max_examples=1_000)
def test_whatever_is_sent_for_a_condition_is_read_or_refused(document: Json, context: EvaluationContext) -> None:
    try:
        condition = parse_condition(document)
    except DocumentError:
        return
    assert _outcome(compile_condition(condition), context, FixedReferences()) in (True, False, None)


@pytest.mark.timeout(5)
def test_conditions_that_are_huge_or_deep_are_refused_in_no_time() -> None:
    deep: Json = {"segment": "s"}
    for _ in range(100_000):
        deep = {"not": deep}
    wide = {"any": [{"any": [{"segment": "s"}] * 500}] * 500}
    many = {"attribute": "a", "op": "matches", "values": [f"(?:a{{100}}){{9}}{n}" for n in range(20)]}
    for document in (deep, wide, {"any": [many] * 499}, {"attribute": "a", "members": "A" * 10_000_000}):
        assert not _reads(document)
        compacted(document)


@given(st.binary(max_size=40))
@example(b"\x06" + b"\xff" * 600)
@example(b"\x01\x00")
def test_whatever_is_sent_for_members_is_a_list_or_refused(data: bytes) -> None:
    try:
        digests = decode_members(base64.b64encode(data).decode())
    except MalformedMembersError:
        return
    assert sorted(digests) == list(digests)
    assert 0 <= digests[0] <= digests[-1] < 2**48


@given(st.text(max_size=20))
def test_a_text_for_members_is_a_list_or_refused(text: str) -> None:
    with suppress(MalformedMembersError):
        decode_members(text)


@given(st.sets(st.text(max_size=8), min_size=1, max_size=60), st.text(max_size=8))
def test_members_are_those_that_were_written(texts: set[str], other: str) -> None:
    digests = decode_members(encode_members(texts))
    is_member = member_test(digests)
    assert list(digests) == sorted(map(digest, texts))
    assert all(map(is_member, texts))
    assert is_member(other) is (other in texts)


@given(
    st.lists(st.integers().map(str), min_size=MAX_VALUES + 1, max_size=MAX_VALUES + 50),
    st.integers().map(str),
    st.sampled_from(["in", "eq", "not_in", "ne"]),
    st.integers(0, MAX_DEPTH - 3),
)
@settings(max_examples=25)
def test_a_long_list_means_the_same_as_members(users: list[str], other: str, op: str, depth: int) -> None:
    document: Json = {"attribute": "targetingKey", "op": op, "values": users}
    for level in range(depth):
        document = {"not": document} if level % 3 == 0 else {("all", "any")[level % 2]: [document]}
    short = compacted(document)
    assert "values" not in encode(short).decode()
    test = compile_condition(parse_condition(short))
    turned = (sum(level % 3 == 0 for level in range(depth)) + (op in ("not_in", "ne"))) % 2 == 1
    for user in (users[0], users[-1], other):
        assert test(EvaluationContext(user), 0, FixedReferences()) is ((user in users) is not turned)


@given(NEARLY)
def test_what_is_short_is_not_compacted(document: Json) -> None:
    assert encode_or_none(compacted(document)) == encode_or_none(document)


def encode_or_none(document: Json) -> bytes | None:
    try:
        return encode(document)
    except TypeError:
        return None


NUMERIC = st.integers(0, 12).map(str)
IDENTIFIERS = st.one_of(NUMERIC, st.sampled_from(["a", "b", "rc", "-", "0a", "A"]))
PARTS = st.tuples(
    *(st.integers(0, 12),) * 3, st.lists(IDENTIFIERS, max_size=3), st.text(string.ascii_letters, max_size=2)
)


def _before(one: tuple[Json, ...], other: tuple[Json, ...]) -> bool:
    """The eleventh paragraph of the specification, word for word."""
    if one[:3] != other[:3]:
        return one[:3] < other[:3]
    if not one[3] or not other[3]:
        return bool(one[3]) and not other[3]
    for left, right in zip(one[3], other[3], strict=False):
        if left != right:
            if left.isdigit() and right.isdigit():
                return int(left) < int(right)
            return left.isdigit() if left.isdigit() or right.isdigit() else left < right
    return len(one[3]) < len(other[3])


@given(PARTS, PARTS)
def test_versions_come_in_the_order_of_the_specification(one: tuple[Json, ...], other: tuple[Json, ...]) -> None:
    first, second = (
        precedence(
            ".".join(map(str, each[:3]))
            + ("-" if each[3] else "")
            + ".".join(each[3])
            + ("+" if each[4] else "")
            + each[4]
        )
        for each in (one, other)
    )
    assert first is not None
    assert second is not None
    assert (first < second) is _before(one, other)
    assert (first == second) is (one[:4] == other[:4])


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.integers(-23 * 60, 23 * 60))  # noqa: DTZ001 - the zone comes
def test_a_moment_is_the_same_in_every_zone(at: datetime, minutes: int) -> None:
    there = at.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    assert instant(there.isoformat()) == instant(at.isoformat() + "Z")
    assert (
        instant(there.isoformat())
        == (at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000
    )


@given(st.text(max_size=30), st.text("0123456789-:.TZ+", max_size=30))
def test_any_text_is_a_moment_and_a_version_or_none(text: str, near: str) -> None:
    for each in (text, near):
        assert instant(each) is None or isinstance(instant(each), int)
        assert precedence(each) is None or each.count(".") >= 2

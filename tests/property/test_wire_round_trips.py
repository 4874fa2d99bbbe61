from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.codec import canonical, decode, encode
from shared.domain.entry import digest_text, parse_digest
from shared.domain.scope import Level, Lineage, Revisions, Scope
from shared.wire.clock_skew import ClockSkew
from shared.wire.messages import MalformedMessageError, UnsupportedSchemaError, decode_message
from shared.wire.remark import Remark
from shared.wire.report import Rejection, Report
from shared.wire.snapshot import MalformedSnapshotError, SnapshotDocument
from shared.wire.unsupported import Unsupported
from tests.fakes.control_plane import LINEAGE, Model, Write

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
writes = st.builds(
    Write,
    st.sampled_from(LINEAGE),
    st.sampled_from(["a", "b.c", "_D-1"]),
    st.one_of(st.none(), json_values.map(canonical)),
)
models = st.lists(st.lists(writes, min_size=1, max_size=4), min_size=1, max_size=5)


@given(models)
def test_what_is_encoded_is_decoded_the_same(asked: list[list[Write]]) -> None:
    model = Model()
    for each in asked:
        before = model.revisions()
        for message in model.commit(*each):
            assert decode_message(message.encode()) == message
        for document in (model.document(), model.document(before)):
            assert SnapshotDocument.decode(document.encode()) == document
            assert SnapshotDocument.decode(document.encode()).encode() == document.encode()
    assert decode_message(model.heartbeat().encode()) == model.heartbeat()


@given(st.binary(max_size=200) | json_values.map(encode))
def test_nonsense_is_told_as_such(body: bytes) -> None:
    for read, expected in (
        (decode_message, (MalformedMessageError, UnsupportedSchemaError)),
        (SnapshotDocument.decode, (MalformedSnapshotError,)),
    ):
        try:
            read(body)  # type: ignore[operator]
        except expected:
            continue
        raise AssertionError(body)


@given(json_values)
def test_canonical_json_says_the_same_and_stays_the_same(value: object) -> None:
    text = canonical(value)
    assert decode(text) == value
    assert canonical(decode(text)) == text


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_digest_is_read_as_it_was_written(digest: int) -> None:
    assert parse_digest(digest_text(digest)) == digest


@given(st.sampled_from([Scope(), Scope("a"), Scope("a-1", "b-2"), Scope("0", "0")]))
def test_a_scope_is_read_as_it_was_written(scope: Scope) -> None:
    assert Scope.parse(str(scope)) == scope
    assert scope.level in set(Level)
    assert scope == Scope() or scope in Lineage.of(scope.app_id or "", scope.environment or "x")


@given(
    st.tuples(*[st.integers(0, 2**40)] * 3),
    st.dictionaries(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20), max_size=5),
    st.none() | st.builds(Rejection, st.integers(0, 99), st.text(min_size=1, max_size=50)),
    st.none() | st.builds(ClockSkew, st.floats(-1e9, 1e9), st.floats(0, 1e9)),
    st.lists(
        st.builds(Unsupported, st.sampled_from(["a", "b.c"]), st.integers(0, 99), st.text(max_size=50)), max_size=3
    ),
    st.lists(
        st.builds(
            Remark,
            *[st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)] * 3,
            st.integers(0, 2**45),
            st.booleans(),
            st.integers(0, 99),
        ),
        max_size=3,
    ),
)
def test_a_report_is_read_as_it_was_written(  # noqa: PLR0917 - hypothesis draws them all
    revisions: tuple[int, int, int],
    labels: dict[str, str],
    rejection: Rejection | None,
    skew: ClockSkew | None,
    unsupported: list[Unsupported],
    remarks: list[Remark],
) -> None:
    report = Report("i-1", "billing", "prod", "1.0", Revisions(*revisions), "live", "amqp", labels, rejection)
    report = replace(report, clock_skew=skew, unsupported=tuple(unsupported), remarks=tuple(remarks))
    assert Report.from_document(decode(report.encode())) == report

"""Conditions by their vectors, in the compiled form and in the plain reading."""

from pathlib import Path

import pytest

from shared.domain.codec import Json, decode, encode
from shared.domain.condition import (
    MAX_CONDITIONS,
    MAX_PATTERNS,
    MAX_VALUES,
    All,
    OfAttribute,
    OfMembers,
    OfSegment,
    parse_condition,
    parse_segment,
)
from shared.domain.condition_compiler import compile_condition
from shared.domain.condition_interpreter import explain_condition
from shared.domain.context import EvaluationContext
from shared.domain.document import MAX_FAULTS, DocumentError
from shared.domain.operators import EXISTS, OPERATORS
from shared.domain.references import UnresolvedError
from tests.fakes.references import FixedReferences, context_of

VECTORS = decode(Path(__file__).parents[1].joinpath("vectors", "conditions.json").read_bytes())
SWEDES = {"attribute": "country", "op": "eq", "values": ["SE"]}


def compiled(document: Json, context: EvaluationContext, references: FixedReferences) -> bool | None:
    try:
        return compile_condition(parse_condition(document))(context, 0, references)
    except UnresolvedError:
        return None


def explained(document: Json, context: EvaluationContext, references: FixedReferences) -> bool | None:
    try:
        matched, trace = explain_condition(parse_condition(document), context, 0, references)
    except UnresolvedError:
        return None
    assert encode(trace)
    return matched


def faults(document: Json) -> dict[str, str]:
    with pytest.raises(DocumentError) as refused:
        parse_condition(document)
    return {each.pointer: each.detail for each in refused.value.faults}


@pytest.mark.parametrize("case", VECTORS["conditions"], ids=lambda case: case["name"])
def test_a_vector_of_a_condition_holds_in_both_forms(case: Json) -> None:
    context, segments, configs = context_of(case["context"]), case.get("segments", {}), case.get("configs", {})
    assert compiled(case["condition"], context, FixedReferences(segments, configs)) is case["expected"]
    assert explained(case["condition"], context, FixedReferences(segments, configs, compiled=False)) is case["expected"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_a_vector_of_what_is_no_condition_is_refused_with_its_places(case: Json) -> None:
    assert sorted(faults(case["condition"])) == sorted(case["pointers"])


def test_the_vectors_have_each_operator() -> None:
    text = encode(VECTORS["conditions"]).decode()
    assert [op for op in (*OPERATORS, EXISTS) if f'"op":"{op}"' not in text] == []


def test_what_is_read_is_what_was_written() -> None:
    document = {"all": [SWEDES, {"segment": "beta"}]}
    assert parse_condition(document) == All((OfAttribute("country", "eq", ("SE",)), OfSegment("beta")))
    assert parse_segment({"when": SWEDES}) == OfAttribute("country", "eq", ("SE",))


def test_a_segment_needs_a_condition_and_nothing_else() -> None:
    for document, pointer in (
        ({}, "/s/when"),
        ({"when": {}}, "/s/when"),
        ({"when": SWEDES, "x": 1}, "/s/x"),
        (1, "/s"),
    ):
        with pytest.raises(DocumentError) as refused:
            parse_segment(document, "/s")
        assert [each.pointer for each in refused.value.faults] == [pointer]


def test_faults_point_into_the_document_that_the_condition_is_part_of() -> None:
    with pytest.raises(DocumentError) as refused:
        parse_condition({"any": [{"attribute": "a", "op": "gt", "values": [1, "2"]}]}, "/rules/3/when")
    assert [each.pointer for each in refused.value.faults] == ["/rules/3/when/any/0/values/1"]


def test_documents_have_limits() -> None:
    assert parse_condition({"any": [SWEDES] * (MAX_CONDITIONS - 1)})
    assert list(faults({"any": [SWEDES] * MAX_CONDITIONS})) == [f"/any/{MAX_CONDITIONS - 1}"]
    assert list(faults({"any": [{"any": [SWEDES] * 300}] * 300})) == ["/any/1/any/197"]
    assert parse_condition({"attribute": "n", "op": "in", "values": list(range(MAX_VALUES))})
    assert list(faults({"attribute": "n", "op": "in", "values": list(range(MAX_VALUES + 1))})) == ["/values"]
    slow = {"attribute": "n", "op": "matches", "values": [f"a{n}" for n in range(MAX_PATTERNS)]}
    assert parse_condition({"all": [slow, SWEDES]})
    assert list(faults({"all": [slow, {"not": slow | {"values": ["b"]}}]})) == ["/all/1/not/values"]
    assert len(faults({"any": [{"attribute": "n", "op": "gt", "values": ["x"]}] * 400})) == MAX_FAULTS


def test_a_trace_shows_what_was_found_as_far_as_it_was_looked_at() -> None:
    document = {"any": [SWEDES, {"attribute": "groups", "op": "in", "values": [f"g{n}" for n in range(12)]}, SWEDES]}
    _, trace = explain_condition(
        parse_condition(document), EvaluationContext(groups=("g3",), attributes={"country": "NO"}), 0, FixedReferences()
    )
    first, second = trace["any"]
    assert first == {"attribute": "country", "op": "eq", "values": ["SE"], "found": "NO", "matched": False}
    assert (second["found"], len(second["values"]), second["of"], second["matched"]) == (["g3"], 10, 12, True)
    assert trace["matched"] is True


def test_a_trace_of_members_says_how_many_they_are() -> None:
    condition = parse_condition(VECTORS["conditions"][-1]["condition"] and {"attribute": "k", "members": "AQE="})
    assert isinstance(condition, OfMembers)
    _, trace = explain_condition(condition, EvaluationContext(attributes={"k": "\ud800"}), 0, FixedReferences())
    assert trace == {"attribute": "k", "members": 1, "found": "'\\ud800'", "matched": False}


def test_what_another_config_yields_may_change_any_number_of_times() -> None:
    test = compile_condition(parse_condition({"config": "n", "op": "gt", "values": [100]}))
    for value in (*range(200), 99, 101):
        assert test(EvaluationContext(), 0, FixedReferences(configs={"n": value})) is (value > 100)

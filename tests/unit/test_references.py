"""What conditions refer to: followed so far and no further, each key once, and never in a circle."""

import pytest

from shared.domain.codec import Json, canonical
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.program import Program
from shared.domain.references import MAX_FOLLOWED
from shared.domain.resolution import Effective, ErrorCode, Resolution
from shared.domain.scope import Level

HAS_A: Json = {"attribute": "a", "op": "exists"}
ASKED = EvaluationContext("alice", (), {"a": 1})


def entry(key: str, kind: Kind, document: Json) -> Effective:
    return Effective(Level.APP, Entry(key, kind, canonical(document), 1, 1))


def flag(key: str, when: Json) -> Effective:
    return entry(
        key,
        Kind.FLAG,
        {"variants": {"no": False, "yes": True}, "default": "no", "rules": [{"when": when, "serve": "yes"}]},
    )


def segments(first: Json, **others: Json) -> Program:
    """The flag `f` refers to the segment `s`."""
    documents = {"s": first, **others}
    parts = {key: entry(key, Kind.SEGMENT, {"when": when}) for key, when in documents.items()}
    return Program.of({"f": flag("f", {"segment": "s"}), **parts})


def told(program: Program, key: str = "f") -> tuple[str | None, ErrorCode | None]:
    """The variant and the error of the compiled form, which are those of the plain reading."""
    found, explanation = program.evaluate(key, ASKED, 0), program.explain(key, ASKED, 0)
    assert isinstance(found, Resolution)
    assert explanation is not None
    assert explanation.resolution is not None
    assert (explanation.resolution.variant, explanation.resolution.error) == (found.variant, found.error)
    return found.variant, found.error


@pytest.mark.parametrize(
    ("length", "expected"), [(MAX_FOLLOWED, ("yes", None)), (MAX_FOLLOWED + 1, ("no", ErrorCode.GENERAL))]
)
def test_references_are_followed_so_far_and_no_further(length: int, expected: tuple[str, ErrorCode | None]) -> None:
    chain = {f"s{n}": {"segment": f"s{n + 1}"} for n in range(2, length)}
    assert told(segments({"segment": "s2"}, **chain, **{f"s{length}": HAS_A})) == expected


@pytest.mark.parametrize("when", [{"segment": "s"}, {"not": {"segment": "s"}}, {"any": [{"segment": "t"}, HAS_A]}])
def test_a_circle_is_neither_true_nor_false(when: Json) -> None:
    assert told(segments(when, t={"segment": "s"})) == ("no", ErrorCode.GENERAL)


def test_configs_in_a_circle_get_their_defaults() -> None:
    program = Program.of(
        {
            "f": flag("f", {"config": "g", "op": "eq", "values": [True]}),
            "g": flag("g", {"config": "f", "op": "eq", "values": [True]}),
        }
    )
    assert told(program)[0] == "no"


@pytest.mark.timeout(5)
def test_segments_of_segments_take_no_longer_than_all_of_them() -> None:
    layers = {f"s{n}": {"any": [{"segment": f"s{n + 1}"}] * 400} for n in range(2, MAX_FOLLOWED)}
    program = segments({"any": [{"segment": "s2"}] * 400}, **layers, **{f"s{MAX_FOLLOWED}": {"not": HAS_A}})
    assert told(program) == ("no", None)


def test_what_a_segment_says_is_looked_up_anew_for_each_evaluation() -> None:
    program = segments(HAS_A)
    assert [
        program.evaluate("f", each, 0) is program.evaluate("f", ASKED, 0) for each in (EvaluationContext(), ASKED)
    ] == [
        False,
        True,
    ]

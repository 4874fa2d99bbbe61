"""The vectors hold, for the compiled programs and for the interpreter that explains them alike."""

import pytest

from shared.domain.codec import Json, encode
from shared.domain.document import Faults
from shared.domain.program import Program
from shared.domain.split import read_split, weights_of
from tests.rig.vectors import answered, asked, vectors

FLAGS, EXPOSURES, SPLITS = vectors("flags")["cases"], vectors("exposures")["cases"], vectors("splits")


@pytest.mark.parametrize("case", FLAGS + EXPOSURES, ids=lambda case: case["name"])
def test_it_yields_what_the_vector_says(case: Json) -> None:
    for each in asked(case):
        program = Program.of(each.configs)
        assert answered(program.evaluate(each.key, each.context, each.at)) == each.right, each
        explanation = program.explain(each.key, each.context, each.at)
        assert explanation is not None
        assert answered(explanation.resolution) == each.right, each
        assert encode(explanation.document)


def test_each_strategy_has_vectors() -> None:
    strategies = {case["configs"][case["key"]].get("rollout", {}).get("strategy") for case in EXPOSURES}
    assert strategies >= {"immediate", "percentage", "canary", "feature_flag", "time_based", "user_targeting"}


@pytest.mark.parametrize("case", SPLITS["splits"], ids=lambda case: case["name"])
def test_a_split_ends_where_the_vector_says(case: Json) -> None:
    faults = Faults()
    variants = {each["variant"] for each in case["split"]}
    split = read_split({"split": case["split"]}, "", variants, "salt", faults)
    faults.refuse()
    assert list(split.ends) == case["ends"]
    assert split.weights == tuple(each["weight"] for each in case["split"])
    for each in case["buckets"]:
        assert (
            next(v for v, end in zip(split.variants, split.ends, strict=True) if each["bucket"] < end)
            == each["variant"]
        )


def test_shares_are_rounded_by_the_largest_remainders() -> None:
    for case in SPLITS["rounding"]:
        assert weights_of(case["shares"]) == case["weights"], case
        assert sum(case["weights"]) == 100_000

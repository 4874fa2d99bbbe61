"""Previews tell who would get a candidate by the evaluation that agents use."""

from typing import Any

import pytest

from control_plane.domain.rollouts.samples import Exposed, Sampling
from shared.domain.codec import canonical
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.resolution import Effective
from shared.domain.scope import Level


def exposed(weight: int, at_ms: int = 0, **more: Any) -> Exposed:
    document = {
        "schema": 1,
        "id": "r",
        "strategy": "percentage",
        "phase": "progressing",
        "step": 0,
        "kind": "value",
        "candidate": 2,
        "salt": "s",
        "unit": "targetingKey",
        "bucketing": "trimtab",
        "weights": [[0, weight]],
    }
    return Exposed(canonical(document | more), at_ms)


def user(name: str) -> EvaluationContext:
    return EvaluationContext(name)


def test_who_is_let_in_stays_in() -> None:
    sampling = Sampling({}, [exposed(weight) for weight in (0, 10_000, 50_000, 100_000)])
    samples = [sampling.of(user(f"u{number}")) for number in range(500)]
    for sample in samples:
        assert sample.bucket is not None
        assert sample.candidate == tuple(sample.bucket < weight for weight in (0, 10_000, 50_000, 100_000))
        assert sample.candidate_from == sample.candidate.index(True)
    assert 20 < sum(each.candidate_from == 1 for each in samples) < 90


def test_without_the_unit_only_everybody_is_let_in() -> None:
    sample = Sampling({}, [exposed(99_999), exposed(100_000)]).of(EvaluationContext())
    assert (sample.candidate, sample.bucket, sample.candidate_from) == ((False, True), None, 1)


def test_windows_are_looked_at_in_the_time_of_each_step() -> None:
    window = {"start": 1_000, "end": 2_000}
    sampling = Sampling({}, [exposed(100_000, at, window=window) for at in (999, 1_000, 2_000)])
    assert sampling.of(user("u")).candidate == (False, True, False)
    assert Sampling({}, []).of(user("u")).candidate_from is None


@pytest.mark.parametrize("kind", ["value", "flag", "segment"])
def test_audiences_may_refer_to_what_stands_beside(kind: str) -> None:
    beta = canonical({"when": {"attribute": "groups", "op": "eq", "values": ["beta"]}})
    effective = {"beta": Effective(Level.APP, Entry("beta", Kind.SEGMENT, beta, 1, 1))}
    sampling = Sampling(effective, [exposed(100_000, kind=kind, when={"segment": "beta"})])
    assert sampling.of(EvaluationContext("u", ("beta",))).candidate == (True,)
    assert sampling.of(user("u")).candidate == (False,)

"""Buckets are what the vectors say, in every scheme, and what the other products published."""

from pathlib import Path

import pytest

from shared.domain.bucketing import BUCKETINGS, WHOLE, unit_text
from shared.domain.codec import Json, decode

VECTORS = decode((Path(__file__).parents[1] / "vectors" / "buckets.json").read_bytes())


@pytest.mark.parametrize("scheme", BUCKETINGS)
def test_a_bucket_is_what_the_vector_says(scheme: str) -> None:
    cases = [case for case in VECTORS["buckets"] if case["bucketing"] == scheme]
    assert cases
    for case in cases:
        assert BUCKETINGS[scheme](case["salt"])(case["unit"]) == case["bucket"], case


def test_only_texts_whole_numbers_and_truths_are_units() -> None:
    for case in VECTORS["units"]:
        assert unit_text(case["value"]) == case["unit"], case


@pytest.mark.parametrize("scheme", BUCKETINGS)
def test_a_text_that_cannot_be_encoded_is_refused_and_not_hashed(scheme: str) -> None:
    with pytest.raises(UnicodeEncodeError):
        BUCKETINGS[scheme]("salt")("half of a pair: \ud800")


def _published(scheme: str) -> list[tuple[int, Json]]:
    cases = (case for case in VECTORS["buckets"] if case["bucketing"] == scheme and "published" in case)
    return [(case["bucket"], case["published"]) for case in cases]


def test_unleash_enables_whom_its_own_percentage_does() -> None:
    for bucket, published in _published("unleash"):
        normalized = int(published.removeprefix("normalized "))
        for percent in range(101):
            assert (bucket < percent * 1_000) == (normalized <= percent)


@pytest.mark.parametrize("scheme", ["launchdarkly", "growthbook", "growthbook-v1"])
def test_a_published_fraction_is_our_bucket(scheme: str) -> None:
    assert _published(scheme)
    for bucket, fraction in _published(scheme):
        assert bucket == int(round(fraction * WHOLE, 6))


def test_flagd_serves_the_suits_that_its_own_vectors_say() -> None:
    suits = ("clubs", "diamonds", "hearts", "spades")
    cases = [(bucket, said) for bucket, said in _published("flagd") if said in suits]
    assert len(cases) == 5
    assert all(suits[bucket // 25_000] == said for bucket, said in cases)


def test_flagd_puts_the_edges_of_its_hash_where_its_own_vectors_say() -> None:
    edges = [(bucket, int(said, 16)) for bucket, said in _published("flagd") if said.startswith("0x")]
    assert len(edges) == 5
    assert all(bucket == value * WHOLE >> 32 for bucket, value in edges)

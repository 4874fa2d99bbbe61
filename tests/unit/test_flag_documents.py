"""Flags and exposures are read strictly: every fault is told, with a pointer to its place."""

import pytest

from shared.domain.codec import Json
from shared.domain.document import DocumentError
from shared.domain.exposure import parse_exposure
from shared.domain.flag import MAX_RULES, MAX_VARIANTS, parse_flag

FLAG = {"variants": {"on": True, "off": False}, "default": "off"}
EXPOSURE = {
    "schema": 1,
    "id": "r",
    "strategy": "percentage",
    "phase": "progressing",
    "step": 0,
    "kind": "value",
    "candidate": 1,
    "salt": "s",
    "weights": [[0, 100_000]],
}
IN_SE = {"attribute": "country", "op": "in", "values": ["SE"]}
HALVES = [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]


def pointers(parse: object, document: Json) -> list[str]:
    with pytest.raises(DocumentError) as raised:
        parse_flag(document, "k") if parse is parse_flag else parse_exposure(document)
    return sorted(each.pointer for each in raised.value.faults)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"variants": {}}, ["/default", "/off", "/variants"]),
        ({"variants": []}, ["/default", "/off", "/variants"]),
        ({"default": "maybe"}, ["/default", "/off"]),
        ({"off": "maybe"}, ["/off"]),
        ({"off": 1}, ["/off"]),
        ({"on": "yes"}, ["/on"]),
        ({"colour": 1}, ["/colour"]),
        ({"a/b~c": 1}, ["/a~1b~0c"]),
        ({"salt": 1}, ["/salt"]),
        ({"salt": "s" * 257}, ["/salt"]),
        ({"rules": {}}, ["/rules"]),
        ({"rules": [1]}, ["/rules/0"]),
        ({"rules": [{}]}, ["/rules/0"]),
        ({"rules": [{"when": IN_SE}]}, ["/rules/0"]),
        ({"rules": [{"serve": "maybe"}]}, ["/rules/0/serve"]),
        ({"rules": [{"serve": "on", "split": HALVES}]}, ["/rules/0/serve"]),
        ({"rules": [{"serve": "on", "unit": "x"}]}, ["/rules/0/unit"]),
        ({"rules": [{"name": "", "serve": "on"}]}, ["/rules/0/name"]),
        ({"rules": [{"when": {}, "serve": "on"}]}, ["/rules/0/when"]),
        ({"rules": [{"split": []}]}, ["/rules/0/split"]),
        ({"rules": [{"split": HALVES[:1]}]}, ["/rules/0/split"]),
        (
            {"rules": [{"split": [{"variant": "on", "weight": 100_000.0}]}]},
            ["/rules/0/split", "/rules/0/split/0/weight"],
        ),
        ({"rules": [{"split": [*HALVES, {"variant": "no", "weight": 0}]}]}, ["/rules/0/split/2/variant"]),
        ({"rules": [{"split": [*HALVES, {"variant": "on", "weight": True}]}]}, ["/rules/0/split/2/weight"]),
        ({"rules": [{"split": HALVES, "bucketing": "dice"}]}, ["/rules/0/bucketing"]),
        ({"rules": [{"split": HALVES, "unit": ""}]}, ["/rules/0/unit"]),
        ({"rules": [{"serve": "on"}] * (MAX_RULES + 1)}, ["/rules"]),
        ({"variants": {str(n): n for n in range(MAX_VARIANTS + 1)}}, ["/default", "/off", "/variants"]),
        (
            {"default": "x", "on": 1, "rules": [{"serve": "y"}, {}]},
            ["/default", "/off", "/on", "/rules/0/serve", "/rules/1"],
        ),
    ],
    ids=str,
)
def test_a_flag_is_refused_where_it_is_wrong(change: Json, where: list[str]) -> None:
    assert pointers(parse_flag, FLAG | change) == where


def test_a_flag_is_an_object() -> None:
    assert "" in pointers(parse_flag, [FLAG])


def test_weights_that_do_not_sum_up_are_told_those_that_would() -> None:
    split = [{"variant": "on", "weight": 33_333}] * 3
    with pytest.raises(DocumentError, match="33334, 33333, 33333"):
        parse_flag(FLAG | {"rules": [{"split": split}]}, "k")


def test_a_flag_has_its_key_as_salt_and_its_default_when_it_is_off() -> None:
    flag = parse_flag(FLAG | {"rules": [{"split": HALVES}]}, "checkout")
    assert flag.off == "off"
    assert not isinstance(flag.rules[0].serve, str)
    assert (flag.rules[0].serve.salt, flag.rules[0].serve.unit) == ("checkout", "targetingKey")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema": 2, "weights": "?"}, ["/schema"]),
        ({"schema": None}, ["/schema"]),
        ({"id": 1}, ["/id"]),
        ({"kind": "mask"}, ["/kind"]),
        ({"step": -1}, ["/step"]),
        ({"weights": []}, ["/weights"]),
        ({"weights": [[0, 1], [0, 2]]}, ["/weights"]),
        ({"weights": [[0, 100_001]]}, ["/weights/0/1"]),
        ({"weights": [[0.5, 1]]}, ["/weights/0/0"]),
        ({"weights": [[1]]}, ["/weights/0"]),
        ({"bucketing": "dice"}, ["/bucketing"]),
        ({"window": {"start": 2, "end": 2}}, ["/window"]),
        ({"window": {"start": "now"}}, ["/window/start"]),
        ({"when": {"attribute": "a", "op": "resembles", "values": ["b"]}}, ["/when"]),
    ],
    ids=str,
)
def test_an_exposure_is_refused_where_it_is_wrong(change: Json, where: list[str]) -> None:
    assert [each[: len(where[0])] for each in pointers(parse_exposure, EXPOSURE | change)] == where


def test_an_exposure_must_have_a_candidate_which_may_be_null() -> None:
    assert parse_exposure(EXPOSURE | {"candidate": None}).candidate == b"null"
    assert pointers(parse_exposure, {k: v for k, v in EXPOSURE.items() if k != "candidate"}) == ["/candidate"]


def test_members_of_an_exposure_that_are_not_known_are_ignored() -> None:
    assert parse_exposure(EXPOSURE | {"colour": "red"}) == parse_exposure(EXPOSURE)

"""How strict guards are: defaults, and what policies make of them."""

import pytest

from control_plane.domain.change import Op, Operation
from control_plane.domain.guards import DEFAULTS, Guard, Mode, Setting, setting_violations, settle
from control_plane.domain.sizes import Size, may_resize, size_hits
from shared.domain.codec import Json
from shared.domain.scope import Scope


def test_without_policies_the_defaults_hold() -> None:
    assert settle([]) == settle([{}]) == DEFAULTS
    assert DEFAULTS[Guard.GLOBAL_SCOPE].mode is Mode.WARN
    assert all(each.mode is Mode.REFUSE for guard, each in DEFAULTS.items() if guard is not Guard.GLOBAL_SCOPE)


def test_a_policy_can_loosen_a_guard_and_the_strictest_of_several_counts() -> None:
    assert settle([{"shrink": "off"}])[Guard.SHRINK].mode is Mode.OFF
    assert settle([{"shrink": "off"}, {"shrink": "warn"}, {}])[Guard.SHRINK].mode is Mode.WARN
    settled = settle([{"environments": {"limit": 5}}, {"environments": {"mode": "warn", "limit": 2}}])
    assert settled[Guard.ENVIRONMENTS] == Setting(Mode.REFUSE, {"limit": 5})
    settled = settle([{"environments": {"limit": 5}}, {"environments": {"mode": "refuse", "limit": 9}}])
    assert settled[Guard.ENVIRONMENTS].numbers == {"limit": 5}
    assert settle([{"growth": {"factor": 3}}])[Guard.GROWTH].numbers["from_bytes"] == 65_536


@pytest.mark.parametrize(
    ("guards", "pointers"),
    [
        ({"shrink": "off", "environments": {"mode": "refuse", "limit": 5}, "growth": {"factor": 1.5}}, []),
        ({"nope": "off"}, ["/guards/nope"]),
        ({"shrink": "sometimes"}, ["/guards/shrink"]),
        ({"shrink": None}, ["/guards/shrink"]),
        ({"shrink": ["off"]}, ["/guards/shrink"]),
        ({"shrink": {"mode": {}}}, ["/guards/shrink"]),
        ({"shrink": {"limit": 1}}, ["/guards/shrink/limit"]),
        ({"environments": {"limit": True}}, ["/guards/environments/limit"]),
        ({"environments": {"limit": -1}}, ["/guards/environments/limit"]),
        ({"environments": {"limit": float("nan")}}, ["/guards/environments/limit"]),
        ({"environments": {"limit": "5"}}, ["/guards/environments/limit"]),
    ],
)
def test_settings_that_mean_nothing_are_pointed_at(guards: dict[str, Json], pointers: list[str]) -> None:
    assert [each.pointer for each in setting_violations("/guards", guards)] == pointers


def test_a_few_small_operations_are_never_worth_a_look_at_sizes() -> None:
    few = [Operation(Op.DELETE, Scope("a"), f"k{index}") for index in range(4)]
    small = [Operation(Op.PUT, Scope("a"), f"p{index}", b"1") for index in range(400)]
    assert not may_resize([*few, *small], DEFAULTS, least=Mode.WARN)
    assert may_resize([*few, Operation(Op.MASK, Scope("a"), "m")], DEFAULTS, least=Mode.REFUSE)
    assert may_resize([Operation(Op.PUT, Scope("a"), "p", b"x" * 40_000)], DEFAULTS, least=Mode.REFUSE)
    quiet = settle([{"shrink": "warn", "growth": "off"}])
    many = [Operation(Op.DELETE, Scope("a"), f"k{index}") for index in range(400)]
    assert (may_resize(many, quiet, least=Mode.REFUSE), may_resize(many, quiet, least=Mode.WARN)) == (False, True)


def test_a_snapshot_that_nothing_differs_in_hits_nothing() -> None:
    assert list(size_hits({("a", "prod"): Size(100, 10**9)}, [], lambda _pair: DEFAULTS)) == []

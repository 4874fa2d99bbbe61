"""Which agents a step means."""

import pytest

from control_plane.domain.gates.aim import aim
from shared.domain.bucketing import trimtab
from shared.domain.codec import Json
from shared.domain.exposure import parse_exposure
from shared.domain.scope import Revisions
from shared.wire.report import Report

NOW = 1_800_000_000_000
AGENT: Json = {"attribute": "agent.label.zone", "op": "eq", "values": ["north"]}
USER: Json = {"attribute": "country", "op": "eq", "values": ["SE"]}


def report(instance: str = "i", zone: str = "south") -> Report:
    return Report(instance, "billing", "prod", "1", Revisions(), "live", "sse", {"zone": zone})


def aims(report_: Report, **members: Json) -> bool:
    document = {
        "schema": 1,
        "id": "r",
        "strategy": "canary",
        "phase": "progressing",
        "step": 0,
        "kind": "value",
        "candidate": 1,
        "salt": "s",
        "weights": [[NOW, 20_000], [NOW + 60_000, 100_000]],
    }
    return aim(parse_exposure(document | members), NOW)(report_)


def test_where_users_are_exposed_every_agent_may_serve_one_of_them() -> None:
    assert aims(report())
    assert aims(report(), when=USER)


def test_where_instances_are_exposed_their_bucket_decides_at_the_weight_of_now() -> None:
    bucket = trimtab("s")
    for number in range(200):
        assert aims(report(f"i{number}"), unit="instance") is (bucket(f"i{number}") < 20_000)


@pytest.mark.parametrize(
    ("when", "north", "south"),
    [
        (AGENT, True, False),
        ({"not": AGENT}, False, True),
        ({"all": [USER, AGENT]}, True, False),
        ({"any": [USER, AGENT]}, True, True),
        ({"not": {"any": [USER, AGENT]}}, False, True),
        ({"not": {"all": [USER, AGENT]}}, True, True),
        ({"all": [{"segment": "beta"}, {"config": "new", "op": "eq", "values": [True]}, AGENT]}, True, False),
        ({"attribute": "agent.environment", "op": "eq", "values": ["prod"]}, True, True),
        ({"attribute": "agent.app", "op": "ne", "values": ["billing"]}, False, False),
    ],
)
def test_labels_rule_agents_out_and_what_is_asked_of_users_does_not(when: Json, *, north: bool, south: bool) -> None:
    assert aims(report(zone="north"), when=when) is north
    assert aims(report(zone="south"), when=when) is south
    assert aims(report(zone="north"), when=when, unit="instance", weights=[[0, 100_000]]) is north

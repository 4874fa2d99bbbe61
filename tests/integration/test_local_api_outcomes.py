"""Applications tell the agent how it went, and the agent knows of which arm."""

from typing import Any

import pytest

from agent.sync.outcomes import MAX_CELLS, Outcomes
from shared.domain.codec import decode
from shared.runtime.clock import SystemClock
from shared.wire.evidence import MAX_OUTCOMES, Evidence
from tests.integration.test_agent_probing import canary
from tests.integration.test_local_api import Agent, agent

LIFE = {"incarnation": "5f2c9d1e"}


def exposed(it: Agent) -> str:
    """Have a rollout whose candidate is for this agent's own users of a group; returns its id."""
    document = canary(1, "eu", "billing")
    it.live(it.store.current.after(document))
    entry = document.items[0].entry
    assert entry is not None
    return str(decode(entry.rollout)["id"])


async def post(it: Agent, body: Any) -> tuple[int, Any]:
    async with it.session.post(f"{it.url}/v1/outcomes", json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_outcomes_are_tagged_with_the_arm_that_the_context_is_served() -> None:
    async with agent() as it:
        rollout = exposed(it)
        assert await post(it, {"key": "k", "success": 3, "failure": 1}) == (200, {"counted": 1, "ignored": 0})
        named = {"rollout": rollout, "arm": "candidate", "failure": 2}
        assert await post(it, {"outcomes": [named, {"key": "other", "success": 1}]}) == (
            200,
            {"counted": 1, "ignored": 1},
        )
        [first, *rest] = it.outcomes.take()
        counts = [first, *rest]
        assert {each.rollout for each in counts} == {rollout}
        assert sum(each.failed for each in counts if each.arm == "candidate") == 2
        assert sum(each.succeeded for each in counts if each.arm == "baseline") == 3
        status = (await it.get("/status"))[1]
        assert (status["outcomes"], status["application"]) == ({"counted": 6, "dropped": 0}, None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/outcomes/0/key"),
        ({"key": "a/b"}, "/outcomes/0/key"),
        ({"key": "k", "success": -1}, "/outcomes/0/success"),
        ({"key": "k", "success": 1.5}, "/outcomes/0/success"),
        ({"key": "k", "failure": True}, "/outcomes/0/failure"),
        ({"key": "k", "at": 5}, "/outcomes/0/at"),
        ({"key": "k", "more": 5}, "/outcomes/0/more"),
        ({"key": "k", "context": {"groups": 5}}, "/outcomes/0/context/groups"),
        ({"rollout": "x", "arm": "candidate"}, "/outcomes/0/rollout"),
        ({"rollout": "0b3a4c1e-0000-4000-8000-000000000001", "arm": "both"}, "/outcomes/0/arm"),
        ({"outcomes": []}, "/outcomes"),
        ({"outcomes": [{"key": "k", "success": 1}, 7]}, "/outcomes/1"),
        ([], "/outcomes"),
    ],
)
async def test_what_is_wrong_is_told_and_nothing_is_counted(body: Any, pointer: str) -> None:
    async with agent() as it:
        exposed(it)
        status, problem = await post(it, body)
        assert (status, [each["pointer"] for each in problem["violations"]]) == (422, [pointer])
        assert not it.outcomes.take()


async def test_what_is_no_json_is_malformed() -> None:
    async with agent() as it:
        exposed(it)
        async with it.session.post(
            f"{it.url}/v1/outcomes", data=b"{", headers={"Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 400


def test_counts_that_wait_are_bounded_and_what_is_dropped_is_counted() -> None:
    outcomes = Outcomes()
    for number in range(MAX_CELLS + 3):
        outcomes.count("r", "candidate", number * 5_000, 2, 1)
    assert (len(outcomes), outcomes.dropped) == (MAX_CELLS, 9)
    taken = outcomes.take()
    assert (len(taken), taken[0].at) == (MAX_OUTCOMES, 15_000)
    assert len(outcomes) == MAX_CELLS - MAX_OUTCOMES


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"sequence": 1},
        {"incarnation": "a b", "sequence": 1},
        {**LIFE, "sequence": -1},
        {**LIFE, "sequence": 1, "outcomes": [{}]},
        {
            **LIFE,
            "sequence": 1,
            "outcomes": [{"rollout": "x", "arm": "candidate", "at": 1, "succeeded": 1, "failed": 1}],
        },
        {**LIFE, "sequence": 1, "health": {"status": "fine", "since": 1}},
        {**LIFE, "sequence": 1, "outcomes": [0] * (MAX_OUTCOMES + 1)},
    ],
)
def test_evidence_that_no_agent_sends_is_refused(document: Any) -> None:
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        Evidence.from_document(document)
    assert SystemClock().now()

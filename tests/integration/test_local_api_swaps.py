"""Whoever reads while snapshots are swapped gets all of one revision, also where rules decide."""

from typing import Any

import anyio

from shared.domain.context import EvaluationContext
from tests.fakes.snapshots import following
from tests.integration.test_local_api import Agent, agent
from tests.integration.test_local_api_evaluating import entry, exposure, post

SWAPS = 200
READERS = 4
CONTEXT = {"targetingKey": "ada", "country": "SE"}


def swap(it: Agent, revision: int) -> None:
    """Everything says its revision: a value, both variants of a flag, and both sides of a rollout."""
    when = {"segment": "swedes"} if revision % 2 else {"not": {"segment": "swedes"}}
    flag = {"variants": {"x": revision, "y": revision}, "default": "y", "rules": [{"when": when, "serve": "x"}]}
    audience = {"attribute": "country", "op": "eq", "values": ["SE"]}
    held = (
        entry("plain", revision),
        entry("flag", flag, "flag"),
        entry("rollout", revision, rollout=exposure((0, 50_000), candidate=revision)),
        entry("swedes", {"when": audience}, "segment"),
        *([entry("odd", revision)] if revision % 2 else []),
    )
    it.live(following(it.store.current, revision, {each.key: each for each in held}))


def whole(document: Any) -> int:
    """The revision that everything in the answer is of."""
    revision: int = document["revision"]
    values = {key: each["value"] for key, each in document["configs"].items()}
    assert values == dict.fromkeys(["flag", *(["odd"] if revision % 2 else []), "plain", "rollout"], revision)
    variant = "x" if revision % 2 else "y"
    assert document["configs"]["flag"]["variant"] == variant
    return revision


async def test_no_answer_is_of_two_revisions() -> None:
    seen: list[int] = []
    done = anyio.Event()

    async def read(it: Agent, number: int) -> None:
        last = 0
        while not done.is_set():
            if number % 2:
                document: Any = (await post(it, "/v1/evaluate", {"context": CONTEXT}))[1]
            else:
                document = (await it.get("/v1/configs?targetingKey=ada&country=SE"))[1]
            revision = whole(document)
            assert revision >= last
            last = revision
            seen.append(revision)

    async with agent() as it:
        swap(it, 1)
        async with anyio.create_task_group() as group:
            for number in range(READERS):
                group.start_soon(read, it, number)
            for revision in range(2, SWAPS):
                swap(it, revision)
                before = len(seen)
                with anyio.fail_after(10):
                    while revision % 10 == 0 and len(seen) < before + READERS:
                        await anyio.lowlevel.checkpoint()
            done.set()
    assert len(set(seen)) > SWAPS // 20


async def test_who_holds_a_snapshot_sees_nothing_of_the_next() -> None:
    async with agent() as it:
        swap(it, 1)
        held = it.store.current
        context = EvaluationContext("ada", (), {"country": "SE"})
        for revision in range(2, 20):
            swap(it, revision)
            found = held.program.resolutions(["plain", "flag", "rollout", "odd"], context, 0)
            assert {key: each.value for key, each in found.items()} == dict.fromkeys(found, b"1")
            assert len(found) == 4

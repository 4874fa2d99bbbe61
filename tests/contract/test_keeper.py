"""Keepers keep the same promises, in memory and on disk."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.ports import Keeper
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write
from tests.fakes.upstream import MemoryKeeper

Reopen = Callable[[], Keeper]


@pytest.fixture(params=["memory", "file"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    """Gives the keeper, each time as after a restart."""
    if request.param == "memory":
        memory = MemoryKeeper()
        return lambda: memory
    opened: list[FileKeeper] = []

    def again() -> Keeper:
        for each in opened:
            each.close()
        opened[:] = [FileKeeper(tmp_path, APP, ENVIRONMENT)]
        return opened[0]

    return again


def test_there_is_nothing_before_something_was_kept(reopen: Reopen) -> None:
    assert reopen().load() is None


def test_the_last_that_was_kept_is_found_after_a_restart(reopen: Reopen) -> None:
    model, snapshot = Model(), Snapshot.empty(APP, ENVIRONMENT)
    keeper = reopen()
    for number in range(30):
        messages = model.commit(Write(LINEAGE[number % 3], f"key{number % 7}", b"1" if number % 5 else None))
        snapshot = snapshot.after_messages(messages)
        keeper.keep(snapshot, snapshot.delta(messages))
        if number % 4 == 0:
            keeper.tidy()
        if number % 6 == 0:
            keeper = reopen()
            assert keeper.load() == snapshot


def test_a_whole_snapshot_replaces_what_was_kept(reopen: Reopen) -> None:
    model, keeper = Model(), reopen()
    model.commit(Write(LINEAGE.app, "a"))
    first = Snapshot.empty(APP, ENVIRONMENT).after(model.document())
    keeper.keep(first, model.document())
    model.commit(Write(LINEAGE.app, "a", None), Write(LINEAGE.global_, "b"))
    second = first.after(model.document())
    keeper.keep(second, model.document())
    assert reopen().load() == second


def test_an_empty_snapshot_that_was_fetched_is_as_good_as_any(reopen: Reopen) -> None:
    empty = Snapshot.empty(APP, ENVIRONMENT)
    keeper = reopen()
    keeper.keep(empty, Model().document())
    keeper.tidy()
    assert reopen().load() == empty

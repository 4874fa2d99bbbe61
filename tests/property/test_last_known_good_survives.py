import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.snapshot import last_known_good
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write

writes = st.builds(
    Write,
    st.sampled_from(LINEAGE),
    st.sampled_from(["a", "b"]),
    st.one_of(st.none(), st.sampled_from([b"1", b"22"])),
    st.booleans(),
)
steps = st.lists(
    st.one_of(st.lists(writes, min_size=1, max_size=3), st.sampled_from(["tidy", "restart", "whole"])),
    min_size=1,
    max_size=15,
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def play(directory: Path, asked: list[object]) -> list[Snapshot]:
    """Keep what the steps lead to; returns every state that was visible."""
    model, states = Model(), [Snapshot.empty(APP, ENVIRONMENT)]
    keeper = FileKeeper(directory, APP, ENVIRONMENT)
    for step in asked:
        if step == "tidy":
            keeper.tidy()
        elif step == "restart":
            keeper.close()
            keeper = FileKeeper(directory, APP, ENVIRONMENT)
            loaded = keeper.load()
            assert (loaded or states[0]) == states[-1]
        else:
            messages = [each for each in model.commit(*step) if each.scope in LINEAGE] if isinstance(step, list) else []
            if any(each.withholds_values for each in messages):
                document = model.document(states[-1].revisions)
                snapshot = states[-1].after(document)
            elif messages:
                snapshot = states[-1].after_messages(messages)
                document = snapshot.delta(messages)
            else:
                document = model.document()
                snapshot = states[-1].after(document)
            keeper.keep(snapshot, document)
            states.append(snapshot)
    keeper.close()
    return states


def load(directory: Path) -> Snapshot | None:
    with closing(FileKeeper(directory, APP, ENVIRONMENT)) as keeper:
        return keeper.load()


@given(steps, st.data())
def test_after_any_history_and_any_damage_a_state_that_was_whole_is_found_or_none(
    asked: list[object], data: st.DataObject
) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_known_good, "MAX_JOURNAL_RECORDS", 2)
        states = play(Path(name), asked)
        assert (load(Path(name)) or states[0]) == states[-1]
        files = sorted(each for each in Path(name).rglob("*") if each.suffix in {".base", ".journal"})
        for path in data.draw(st.lists(st.sampled_from(files), max_size=3)) if files else []:
            content = path.read_bytes()
            at = data.draw(st.integers(0, max(0, len(content) - 1)))
            if data.draw(st.booleans()):
                path.write_bytes(content[:at])
            elif content:
                path.write_bytes(
                    content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]
                )
        found = load(Path(name))
        assert found is None or found in states


def a_small_history(directory: Path) -> list[Snapshot]:
    global_, app, own = LINEAGE
    return play(
        directory,
        [[Write(global_, "a")], "tidy", [Write(app, "b"), Write(own, "b", b"22")], [Write(own, "b", None)], "restart",
         [Write(own, "c", b"3", True)], [Write(own, "a", b"4")]],
    )  # fmt: skip


@pytest.mark.parametrize("suffix", ["base", "journal"])
def test_cut_or_altered_at_any_byte_an_earlier_whole_state_is_found(tmp_path: Path, suffix: str) -> None:
    states = a_small_history(tmp_path)
    for path in sorted(tmp_path.rglob(f"*.{suffix}")):
        content = path.read_bytes()
        for at in range(len(content)):
            for damaged in (content[:at], content[:at] + bytes([content[at] ^ 0x5A]) + content[at + 1 :]):
                path.write_bytes(damaged)
                found = load(tmp_path)
                assert found is None or found in states
        path.write_bytes(content)
    assert load(tmp_path) == states[-1]


def test_a_torn_last_record_costs_only_that_change(tmp_path: Path) -> None:
    states = a_small_history(tmp_path)
    newest = max(tmp_path.rglob("*.journal"))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert load(tmp_path) == states[-2]


def test_a_damaged_newest_base_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_known_good, "MAX_JOURNAL_RECORDS", 0)
        scope = LINEAGE.environment
        states = play(tmp_path, [[Write(scope, "a")], "tidy", [Write(scope, "a", b"2")], "tidy", [Write(scope, "b")]])
    bases = sorted(tmp_path.rglob("*.base"))
    assert len(bases) == 2
    bases[-1].write_bytes(bases[-1].read_bytes()[:-5])
    assert load(tmp_path) == states[-1]

import errno
import os
import shutil
import stat
from contextlib import closing
from pathlib import Path

import pytest

from agent.snapshot import durable, last_known_good
from agent.snapshot.last_known_good import FileKeeper, StateInUseError
from agent.snapshot.model import Snapshot
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write

OWN = LINEAGE.environment


def kept(directory: Path, count: int = 1) -> Snapshot:
    model, snapshot = Model(), Snapshot.empty(APP, ENVIRONMENT)
    with closing(FileKeeper(directory, APP, ENVIRONMENT)) as keeper:
        for number in range(count):
            messages = model.commit(Write(OWN, f"key{number}", b'"secret"', sensitive=True))
            document = model.document(snapshot.revisions)
            assert messages
            snapshot = snapshot.after(document)
            keeper.keep(snapshot, document)
        keeper.tidy()
    return snapshot


def load(directory: Path, app_id: str = APP) -> Snapshot | None:
    with closing(FileKeeper(directory, app_id, ENVIRONMENT)) as keeper:
        return keeper.load()


def test_what_was_kept_is_found_with_sensitive_values(tmp_path: Path) -> None:
    snapshot = kept(tmp_path, 3)
    assert load(tmp_path) == snapshot
    assert snapshot.scopes[2]["key0"].value == b'"secret"'


def test_nothing_kept_is_nothing_found(tmp_path: Path) -> None:
    assert load(tmp_path / "new") is None


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    kept(tmp_path / "state")
    directories = [each for each in (tmp_path / "state").rglob("*") if each.is_dir()] + [tmp_path / "state"]
    files = [each for each in (tmp_path / "state").rglob("*") if each.is_file()]
    assert {stat.S_IMODE(each.stat().st_mode) for each in directories} == {0o700}
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


def test_two_agents_cannot_share_a_directory(tmp_path: Path) -> None:
    with closing(FileKeeper(tmp_path, APP, ENVIRONMENT)), pytest.raises(StateInUseError, match="state directory"):
        FileKeeper(tmp_path, APP, ENVIRONMENT)
    load(tmp_path)


def test_agents_of_different_applications_can(tmp_path: Path) -> None:
    with closing(FileKeeper(tmp_path, APP, ENVIRONMENT)), closing(FileKeeper(tmp_path, "other", ENVIRONMENT)):
        pass


def test_copied_files_of_another_application_are_refused_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept(tmp_path)
    shutil.copytree(tmp_path / f"{APP}.{ENVIRONMENT}", tmp_path / f"other.{ENVIRONMENT}")
    copied = {each: each.read_bytes() for each in (tmp_path / f"other.{ENVIRONMENT}").iterdir()}
    assert load(tmp_path, "other") is None
    assert "ours is 'other'" in str([each.__dict__ for each in caplog.records])
    model, snapshot = Model(), Snapshot.empty("other", ENVIRONMENT)
    with closing(FileKeeper(tmp_path, "other", ENVIRONMENT)) as keeper:
        keeper.keep(snapshot, snapshot.document())
        keeper.tidy()
    assert model.revision == 0
    assert all(path.read_bytes() == content for path, content in copied.items())


def test_after_a_full_disk_the_next_change_is_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, states = Model(), [Snapshot.empty(APP, ENVIRONMENT)]

    def half(descriptor: int, content: bytes) -> None:
        os.write(descriptor, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with closing(FileKeeper(tmp_path, APP, ENVIRONMENT)) as keeper:
        for number in range(4):
            messages = model.commit(Write(OWN, f"key{number}"))
            states.append(states[-1].after_messages(messages))
            if number in {1, 2}:
                with monkeypatch.context() as patch:
                    patch.setattr(last_known_good, "write_all", half)
                    with pytest.raises(OSError, match="No space"):
                        keeper.keep(states[-1], states[-1].delta(messages))
                    patch.undo()
            else:
                keeper.keep(states[-1], states[-1].delta(messages))
    assert load(tmp_path) == states[-1]


def test_a_directory_that_cannot_be_made_does_not_stop_the_agent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    snapshot = Snapshot.empty(APP, ENVIRONMENT)
    with closing(FileKeeper(tmp_path / "file", APP, ENVIRONMENT)) as keeper:
        assert keeper.load() is None
        with pytest.raises(OSError, match=r"Not a directory|exists"):
            keeper.keep(snapshot, snapshot.document())
        keeper.tidy()


def test_the_files_stay_few_over_many_changes_and_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_known_good, "MAX_JOURNAL_RECORDS", 5)
    model, snapshot = Model(), Snapshot.empty(APP, ENVIRONMENT)
    for number in range(60):
        with closing(FileKeeper(tmp_path, APP, ENVIRONMENT)) as keeper:
            assert (keeper.load() or snapshot) == snapshot
            for _ in range(number % 7):
                messages = model.commit(Write(OWN, f"key{number}"))
                snapshot = snapshot.after_messages(messages)
                keeper.keep(snapshot, snapshot.delta(messages))
            keeper.tidy()
    files = list(tmp_path.rglob("*.*"))
    assert len([each for each in files if each.suffix == ".base"]) == 2
    assert len([each for each in files if each.suffix == ".journal"]) < 25


def test_a_replacement_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "1.base"
    durable.replace(path, b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        durable.replace(path, b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]

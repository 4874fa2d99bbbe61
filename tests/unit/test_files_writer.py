"""A file is replaced whole, with its mode, and only when it has to be."""

import os
import stat
from pathlib import Path

import pytest

from shared.runtime.whole_file import write_if_changed


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_new_file_has_its_content_and_mode_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert write_if_changed(tmp_path / "a" / "b" / "config.json", b"{}", 0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "a" / "b" / "config.json").read_bytes() == b"{}"
    assert mode(tmp_path / "a" / "b" / "config.json") == 0o644


def test_equal_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_if_changed(path, b"{}", 0o640)
    inode = path.stat().st_ino
    assert not write_if_changed(path, b"{}", 0o640)
    assert path.stat().st_ino == inode


def test_a_wrong_mode_is_put_right(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_if_changed(path, b"{}", 0o640)
    assert write_if_changed(path, b"{}", 0o600)
    assert mode(path) == 0o600


def test_a_reader_that_has_the_file_open_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_if_changed(path, b"old", 0o640)
    with path.open("rb") as reader:
        write_if_changed(path, b"new", 0o640)
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_a_symbolic_link_is_replaced_and_what_it_points_at_left_alone(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "config.json"
    other.write_bytes(b"mine")
    path.symlink_to(other)
    assert write_if_changed(path, b"mine", 0o640)
    assert not path.is_symlink()
    write_if_changed(path, b"new", 0o640)
    assert other.read_bytes() == b"mine"


def test_what_a_killed_process_left_behind_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".config.json.trimtab").write_bytes(b"half")
    write_if_changed(tmp_path / "config.json", b"whole", 0o640)
    assert [each.name for each in tmp_path.iterdir()] == ["config.json"]


def test_a_failure_leaves_what_was_there_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_if_changed(path, b"{}", 0o640)
    assert [each.name for each in tmp_path.iterdir()] == ["config.json"]

"""The PostgreSQL of `trimtab dev`: kept between runs, in any directory, whoever starts it."""

import os
import shutil
from pathlib import Path

import asyncpg
import pytest

from control_plane.embedded.data_directory import DataDirectory, EmbeddedError
from control_plane.embedded.postgres_server import embedded_postgres


async def _ask(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_it_is_there_again_after_a_stop_and_nothing_of_its_parents_changed(tmp_path: Path) -> None:
    """Below a directory that nobody else may pass, as /root is, with a space in its name."""
    parent = tmp_path / "closed to others"
    parent.mkdir(mode=0o700)
    modes = [each.stat().st_mode for each in parent.parents]
    directory = DataDirectory(parent / "data")
    with directory.locked():
        with embedded_postgres(directory) as server:
            await _ask(server.dsn, "create table kept as select 1 as one")
        with embedded_postgres(directory) as server:
            assert await _ask(server.dsn, "select one from kept") == 1
            assert await _ask(server.dsn, "show fsync") == "on"
            assert await _ask(server.dsn, "show listen_addresses") == ""
    assert parent.stat().st_mode & 0o777 == 0o700
    assert [each.stat().st_mode for each in parent.parents] == modes
    assert not (directory.root / "run").exists()


async def test_a_path_too_long_for_a_socket_gets_a_short_one(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / ("x" * 120))
    with directory.locked(), embedded_postgres(directory) as server:
        assert await _ask(server.dsn, "select 1") == 1


def test_a_directory_has_one_user_at_a_time(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    with directory.locked(), pytest.raises(EmbeddedError, match=f"in use by process {os.getpid()}"), directory.locked():
        pass
    with directory.locked():
        pass


def test_a_start_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    with directory.locked():
        half = directory.root / "postgres.new"
        half.mkdir()
        (half / "PG_VERSION").write_text("18\n")
        with embedded_postgres(directory):
            pass
        assert not half.exists()
        shutil.rmtree(directory.postgres)
        directory.postgres.mkdir()
        with pytest.raises(EmbeddedError, match="holds no PostgreSQL data"), embedded_postgres(directory):
            pass

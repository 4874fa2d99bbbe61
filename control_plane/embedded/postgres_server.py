"""PostgreSQL as a child of ours, for `trimtab dev`: kept between runs, reached by a unix socket only, gone with us.

The server is a direct child that the kernel stops when we die, however we die. It does not listen on TCP: the
directory of its socket, open to its own user alone, is what guards it. As whom it runs is told in `account.py`.
"""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

from control_plane.embedded.account import Account, server_account
from control_plane.embedded.binaries import Binaries, choose_binaries
from control_plane.embedded.data_directory import DataDirectory, EmbeddedError
from shared.runtime.child import spawn, stop

_PORT = 5432
"""There is no TCP; the number only names the socket."""
_LONGEST_SOCKET = 100
"""The kernel takes 107 bytes (103 on macOS)."""
_START_PATIENCE = 60.0
_PREDECESSOR_PATIENCE = 10.0
_STOP_PATIENCE = 2.0
_LOOK_AGAIN = 0.01

Tell = Callable[[str], None]
"""Receives short lines of progress."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server: how to connect, and whether it still runs."""

    dsn: str
    major: int
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def embedded_postgres(directory: DataDirectory, tell: Tell = lambda _: None) -> Iterator[PostgresServer]:
    """Run the server of a (locked) data directory until the block ends. Call it from the main thread.

    Raises:
        EmbeddedError: it cannot be run; the text is for the operator.
    """
    data, log = directory.postgres, directory.log_file("postgres")
    binaries = choose_binaries(_existing_major(data))
    account = server_account(data, [binaries.directory / "postgres", binaries.directory / "initdb"])
    with log.open("ab") as output:
        if not data.exists():
            tell(f"Creating the database (PostgreSQL {binaries.major})")
            _initialize(data, binaries, account, output)
        _wait_for_predecessor(data)
        tell(f"Starting PostgreSQL {binaries.major}")
        with _socket_directory(directory, account) as sockets:
            server = _start(data, sockets, binaries, account, output)
            try:
                _wait_until_ready(server, data, log)
                query = urlencode({"host": str(sockets), "port": _PORT})
                yield PostgresServer(f"postgresql://postgres@/postgres?{query}", binaries.major, server, log)
            finally:
                stop(server, signal.SIGINT, _STOP_PATIENCE)


def _existing_major(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text(encoding="ascii").split(".")[0])
    except FileNotFoundError:
        if data.exists():
            msg = f"{data} is there but holds no PostgreSQL data: move it away, or choose another with --data-dir"
            raise EmbeddedError(msg) from None
        return None
    except PermissionError:
        return _major_for(data)
    except ValueError as error:
        msg = f"{data}/PG_VERSION cannot be read: choose another directory with --data-dir"
        raise EmbeddedError(msg) from error


def _major_for(data: Path) -> int | None:
    """Somebody else's directory: let the check of the owner say so."""
    server_account(data, [])
    msg = f"{data} cannot be read: choose another directory with --data-dir"
    raise EmbeddedError(msg)


def _initialize(data: Path, binaries: Binaries, account: Account, output: IO[bytes]) -> None:
    """Create it beside its place and move it there when it is whole: an interrupted start leaves nothing half done."""
    new = data.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    account.own(new)
    locale = ["--locale=C.UTF-8"]
    if binaries.major >= 17:  # noqa: PLR2004 - the first one with a collation provider of its own
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", *locale]
    command: list[Path | str] = [binaries.directory / "initdb", "-D", new, *options]
    child = _run(command, new, account, output, signal.SIGKILL)
    try:
        code = child.wait(_START_PATIENCE)
    except BaseException:
        stop(child, signal.SIGTERM, _STOP_PATIENCE)
        raise
    if code != 0:
        msg = f"PostgreSQL's initdb failed with status {code}: see {output.name}"
        raise EmbeddedError(msg)
    new.rename(data)


def _start(
    data: Path, sockets: Path, binaries: Binaries, account: Account, output: IO[bytes]
) -> subprocess.Popen[bytes]:
    quoted = str(sockets).replace('"', '""')
    settings = {
        "listen_addresses": "",
        "port": str(_PORT),
        "unix_socket_directories": f'"{quoted}"',
        "unix_socket_permissions": "0700",
        "shared_buffers": "32MB",
        "max_connections": "60",
        "max_wal_size": "256MB",
        "autovacuum_max_workers": "1",
        "max_worker_processes": "1",
        "max_parallel_workers": "0",
    }
    if binaries.major >= 18:  # noqa: PLR2004 - the first one that knows it
        settings["io_method"] = "sync"
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    # Orphaned, it stops at once and replays its log at the next start.
    return _run([binaries.directory / "postgres", "-D", data, *options], data, account, output, signal.SIGQUIT)


def _run(
    command: Sequence[Path | str], cwd: Path, account: Account, output: IO[bytes], orphaned: signal.Signals
) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    try:
        return spawn(
            [str(each) for each in command],
            log=output.fileno(),
            cwd=cwd,
            environ=environ,
            when_orphaned=orphaned,
            before_exec=account.become(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        msg = f"PostgreSQL cannot be started as user {account.uid} ({error}): start as an ordinary user"
        raise EmbeddedError(msg) from error


def _wait_for_predecessor(data: Path) -> None:
    """The server of a killed predecessor may still be stopping. Nobody else can use the directory: we hold its lock."""
    deadline = time.monotonic() + _PREDECESSOR_PATIENCE
    while (pid := _recorded_pid(data)) is not None and _serves(pid, data):
        if time.monotonic() > deadline:
            msg = f"a PostgreSQL server (process {pid}) still uses {data}: stop it, or choose another with --data-dir"
            raise EmbeddedError(msg)
        time.sleep(_LOOK_AGAIN)
    if pid is not None and _alive(pid):
        # The number belongs to another program by now; PostgreSQL would take that for a running server.
        (data / "postmaster.pid").unlink(missing_ok=True)


def _recorded_pid(data: Path) -> int | None:
    with suppress(OSError, ValueError, LookupError):
        return int((data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
    return None


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a server of this directory: a server stands in its data directory."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")) == data.resolve()  # noqa: PTH115 - the link, not its target
    except FileNotFoundError:
        return not Path("/proc/self").exists() and _alive(pid)
    except OSError:
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _wait_until_ready(server: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_PATIENCE
    while not _is_ready(server.pid, data):
        if server.poll() is not None:
            msg = f"PostgreSQL ended with status {server.returncode} while starting: see {log}"
            raise EmbeddedError(msg)
        if time.monotonic() > deadline:
            msg = f"PostgreSQL was not ready within {_START_PATIENCE:.0f} s: see {log}"
            raise EmbeddedError(msg)
        time.sleep(_LOOK_AGAIN)


def _is_ready(pid: int, data: Path) -> bool:
    """The server writes its state as the last line of its pid file."""
    with suppress(OSError):
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return bool(lines) and lines[0] == str(pid) and lines[-1].strip() == "ready"
    return False


@contextmanager
def _socket_directory(directory: DataDirectory, account: Account) -> Iterator[Path]:
    """Where the socket stands: in the data directory, or in a short one of its own where that path is too long."""
    path = directory.root.resolve() / "run"
    if len(os.fsencode(path / f".s.PGSQL.{_PORT}")) > _LONGEST_SOCKET or "," in str(path):
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        path = Path(tempfile.gettempdir()) / f"trimtab-{os.geteuid()}-{name}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if found.st_uid not in (os.geteuid(), account.uid) or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o77:
        msg = f"{path} is not a private directory of ours: remove it"
        raise EmbeddedError(msg)
    account.own(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)

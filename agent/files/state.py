"""How file sets and their files stand: kept by whoever works on them, shown in `/status` and `/metrics`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from agent.files.file_set import FileSet


class Phase(StrEnum):
    """What is going on with a set."""

    WAITING = "waiting"
    """Nothing was rendered yet."""
    PUBLISHED = "published"
    """Its application has what the configs say."""
    REFUSED = "refused"
    """Its check said no; what was published before still stands."""
    RETURNED = "returned"
    """Its application did not bear it; the generation before is published again."""
    FAILED = "failed"
    """It could not be rendered or written; what was published before still stands."""
    UNHEALTHY = "unhealthy"
    """Its application did not bear it, and there is nothing to return to, or that is not wanted."""
    DRY = "dry_run"
    """It is only said what would be done."""


@dataclass(slots=True)
class RenderedFile:
    """How one file stands. `revision` and `rendered_at` are of the last time that the file was brought up to date."""

    path: str
    format: str
    revision: int | None = None
    rendered_at: datetime | None = None
    size: int = 0
    writes: int = 0
    failures: int = 0
    error: str = ""


@dataclass(slots=True)
class SetState:
    """How one set stands. `revision` is that of what is published; `detail` says why it is not what it should be."""

    file_set: FileSet
    phase: Phase = Phase.WAITING
    revision: int | None = None
    generation: str = ""
    detail: str = ""
    drifted: int = 0
    """How often somebody else changed a file."""
    last_change_at: datetime | None = None
    keys: tuple[str, ...] = ()
    files: list[RenderedFile] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.files:
            self.files = [RenderedFile(str(self.place(each.path)), each.format) for each in self.file_set.files]

    @property
    def name(self) -> str:
        """The set's name."""
        return self.file_set.name

    @property
    def good(self) -> bool:
        """Whether its application has what the configs say."""
        return self.phase is Phase.PUBLISHED or self.phase is Phase.DRY

    def place(self, path: Path) -> Path:
        """Where a file of it is read."""
        return path if self.file_set.directory is None else self.file_set.directory / path

"""A set of files at places of their own: all are written beside their places first, then renamed one right after the other."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.files.generations import CURRENT, GOOD, Generations, files_of
from agent.files.record import Record
from agent.files.rendering import Content
from agent.files.standing import given, holds, same
from shared.runtime.whole_file import draft_of, sync_directory, write_new

_STATE_MODE = 0o700
MAX_ADOPTED = 16 * 1024 * 1024
"""Bytes of a file that was there before us and is kept to be returned to."""


class FilesPublication:
    """Generations are in the agent's state; what counts there is copied to its places."""

    def __init__(self, root: Path, keep: int, record: Record) -> None:
        self.generations, self.record = Generations(root, keep, _STATE_MODE), record

    def publish(self, generation: Path) -> None:
        """Put this generation's files in place; those that are the same stay untouched."""
        before = self.generations.current
        names = list(files_of(generation))
        changed = [name for name in names if not same(generation / name, _place(name))]
        drafts = {name: draft_of(_place(name)) for name in names}
        try:
            for name in changed:
                _copy(generation / name, drafts[name])
            for name in changed:
                drafts[name].replace(_place(name))
        finally:  # also of one that was killed
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
        for directory in {drafts[name].parent for name in changed}:
            sync_directory(directory)
        if before is not None:
            _remove_stale(before, generation)
        self.generations.point(CURRENT, generation)

    def adopt(self, generation: Path) -> None:
        """Before anything of ours is published: keep the files that are there already, to be returned to."""
        found = [name for name in files_of(generation) if _place(name).exists()]
        if found and self.generations.current is None and all(_adoptable(_place(name)) for name in found):
            adopted = self.generations.empty()
            for name in found:
                _copy(_place(name), adopted / name)
            self.generations.point(GOOD, adopted)

    def differing(self, contents: Mapping[str, Content]) -> list[str]:
        """The files that are not as they should be: changed by somebody, or not there."""
        return [name for name, content in contents.items() if not holds(Path(name), content)]

    def places(self) -> Iterator[Path]:
        """All that makes up what is published."""
        if (current := self.generations.current) is not None:
            yield from map(_place, files_of(current))

    def directories(self) -> Iterator[Path]:
        """Where somebody could change it, or move it away."""
        parents = dict.fromkeys(each.parent for each in self.places())
        yield from dict.fromkeys((*parents, *(each.parent for each in parents)))


def _place(name: str) -> Path:
    return Path("/", name)


def _copy(source: Path, draft: Path) -> None:
    found = source.stat()
    draft.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    write_new(draft, source.read_bytes(), stat.S_IMODE(found.st_mode), given(found))


def _adoptable(place: Path) -> bool:
    found = place.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size <= MAX_ADOPTED and os.access(place, os.R_OK)


def _remove_stale(before: Path, generation: Path) -> None:
    """Take away what was ours and is not any more, unless somebody changed it meanwhile: then it is theirs."""
    for name in set(files_of(before)) - set(files_of(generation)):
        if same(before / name, _place(name)):
            _place(name).unlink(missing_ok=True)

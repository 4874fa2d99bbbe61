"""How a generation becomes what applications read: a directory in one swap, or single files one right after the other."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from agent.files.file_set import FileSet
from agent.files.generations import CURRENT, GOOD, Generations, files_of, relative
from agent.files.owners import Ids, ids_of
from agent.files.rendering import Content
from shared.runtime.whole_file import draft_of, sync_directory, write_new

_STATE_MODE = 0o700


class Publication(Protocol):
    """Where the files of a set are. Every method works on the disk: call it beside the event loop.

    Raises:
        OSError: something cannot be read or written; what was published stands.
    """

    generations: Generations

    def publish(self, generation: Path) -> None: ...
    def differing(self, contents: Mapping[str, Content]) -> list[str]: ...


def publication_of(file_set: FileSet, state_dir: Path) -> Publication:
    """The publication of a set; that of single files keeps its generations in the agent's state."""
    if file_set.directory is not None:
        return DirectoryPublication(file_set.directory, file_set.keep)
    name = hashlib.blake2b(file_set.name.encode(), digest_size=8).hexdigest()
    return FilesPublication(state_dir / "files" / name, file_set.keep)


class DirectoryPublication:
    """All of a directory: its names are links through `..data`, which is swapped."""

    def __init__(self, directory: Path, keep: int) -> None:
        self._directory = directory
        self.generations = Generations(directory, keep)

    def publish(self, generation: Path) -> None:
        """Have readers see this generation, all of it at once."""
        wanted = {each.name for each in generation.iterdir()}
        for name in wanted:
            self._require_ours(self._directory / name)
        self.generations.point(CURRENT, generation)
        for name in sorted(wanted):
            link = self._directory / name
            if not link.is_symlink():
                link.symlink_to(f"{CURRENT}/{name}")
        for link in self._links():
            if link.name not in wanted:
                link.unlink()
        sync_directory(self._directory)

    def differing(self, contents: Mapping[str, Content]) -> list[str]:
        """The files that are not as they should be: changed by somebody, or not there."""
        current = self.generations.current
        if current is None:
            return list(contents)
        shown = {each.name for each in self._links()}
        return [
            name
            for name, content in contents.items()
            if relative(name).parts[0] not in shown or not holds(current / relative(name), content)
        ]

    def _links(self) -> Iterator[Path]:
        """The names that are ours."""
        for each in list(self._directory.iterdir()):
            if each.is_symlink() and os.readlink(each) == f"{CURRENT}/{each.name}":  # noqa: PTH115 - the text itself
                yield each

    def _require_ours(self, path: Path) -> None:
        if os.path.lexists(path) and path not in set(self._links()):
            msg = f"{path} is there already and is not ours: move it away, or give the set a directory of its own"
            raise FileExistsError(msg)


class FilesPublication:
    """Files at places of their own: all are written beside their places first, then renamed one right after the other."""

    def __init__(self, root: Path, keep: int) -> None:
        self.generations = Generations(root, keep, _STATE_MODE)

    def publish(self, generation: Path) -> None:
        """Put this generation's files in place; those that are the same stay untouched."""
        before = self.generations.current
        changed = [name for name in files_of(generation) if not _same(generation / name, Path("/", name))]
        drafts: list[Path] = []
        try:
            for name in changed:
                drafts.append(draft_of(Path("/", name)))
                _copy(generation / name, drafts[-1])
        except OSError:
            for draft in drafts:
                draft.unlink(missing_ok=True)
            raise
        for name, draft in zip(changed, drafts, strict=True):
            draft.replace(Path("/", name))
        for directory in {draft.parent for draft in drafts}:
            sync_directory(directory)
        if before is not None:
            _remove_stale(before, generation)
        self.generations.point(CURRENT, generation)

    def differing(self, contents: Mapping[str, Content]) -> list[str]:
        """The files that are not as they should be: changed by somebody, or not there."""
        return [name for name, content in contents.items() if not holds(Path(name), content)]


def holds(path: Path, content: Content) -> bool:
    """Whether there is a regular file of this content, mode and owner."""
    user, group = ids_of(content.owner)
    try:
        found = path.lstat()
        return (
            stat.S_ISREG(found.st_mode)
            and stat.S_IMODE(found.st_mode) == content.mode
            and user in {-1, found.st_uid}
            and group in {-1, found.st_gid}
            and found.st_size == len(content.data)
            and path.read_bytes() == content.data
        )
    except OSError:  # it is not there, or cannot be read: then it has to be written
        return False


def confirm(publication: Publication) -> None:
    """The application took what is published: it is what is returned to from now on."""
    generations = publication.generations
    if (current := generations.current) is not None and current != generations.good:
        generations.point(GOOD, current)
    generations.prune()


def _same(source: Path, target: Path) -> bool:
    """Whether a file stands at its place already, as it was staged."""
    found = source.lstat()
    try:
        there = target.lstat()
        alike = (there.st_mode, there.st_uid, there.st_gid, there.st_size) == (
            found.st_mode,
            found.st_uid,
            found.st_gid,
            found.st_size,
        )
        return alike and target.read_bytes() == source.read_bytes()
    except OSError:
        return False


def _copy(source: Path, draft: Path) -> None:
    found = source.stat()
    draft.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    write_new(draft, source.read_bytes(), stat.S_IMODE(found.st_mode), Ids(found.st_uid, found.st_gid))


def _remove_stale(before: Path, generation: Path) -> None:
    """Take away what was ours and is not any more, unless somebody changed it meanwhile: then it is theirs."""
    gone = set(files_of(before)) - set(files_of(generation))
    for name in gone:
        if _same(before / name, Path("/", name)):
            Path("/", name).unlink(missing_ok=True)

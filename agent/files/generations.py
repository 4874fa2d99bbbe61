"""Generations of a set on disk: each in a directory of its own, made whole before a link points at it.

The layout is that of mounted ConfigMaps: `..data` points at the generation that counts, so what watches those works here
as well. `..good` points at the last one that its application took. Whatever has neither our prefix nor is one of these
links is somebody else's, and is never touched.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from agent.files.owners import ids_of
from agent.files.rendering import Content
from shared.runtime.whole_file import sync_directory, write_new

CURRENT = "..data"
GOOD = "..good"
_PREFIX = "..trimtab-"
DRAFT = "..trimtab_link"
_MODE = 0o755


class Generations:
    """Those below one directory. Every method works on the disk: call it beside the event loop."""

    def __init__(self, root: Path, keep: int, mode: int = _MODE) -> None:
        self.root, self._keep, self._mode = root, keep, mode

    @property
    def current(self) -> Path | None:
        """The generation that counts."""
        return self._target(CURRENT)

    @property
    def good(self) -> Path | None:
        """The last one that the application took."""
        return self._target(GOOD)

    def stage(self, contents: Mapping[str, Content], revision: int) -> Path:
        """Write a new generation, durably; nothing points at it yet.

        Raises:
            OSError: it cannot be written; nothing is left of it.
        """
        self.root.mkdir(mode=self._mode, parents=True, exist_ok=True)
        self.clear()
        number = max((_number(each) for each in self._all()), default=0) + 1
        generation = self.root / f"{_PREFIX}{number:010d}-r{revision}"
        try:
            generation.mkdir(mode=self._mode)
            generation.chmod(self._mode)
            for name, content in contents.items():
                self._write(generation, name, content)
            sync_directory(self.root)
        except OSError:
            self.discard(generation)
            raise
        return generation

    def point(self, link: str, generation: Path) -> None:
        """Have a link point at a generation from now on, in one step."""
        draft = self.root / DRAFT
        draft.unlink(missing_ok=True)
        draft.symlink_to(generation.name)
        draft.replace(self.root / link)
        sync_directory(self.root)

    def empty(self) -> Path:
        """A generation of what was there before the first one, to be filled."""
        self.root.mkdir(mode=self._mode, parents=True, exist_ok=True)
        generation = self.root / f"{_PREFIX}{0:010d}-r0"
        self.discard(generation)
        generation.mkdir(mode=self._mode)
        return generation

    def sync(self) -> None:
        """Make names durable."""
        sync_directory(self.root)

    def discard(self, generation: Path) -> None:
        """Take a generation away at which nothing points."""
        shutil.rmtree(generation, ignore_errors=True)

    def clear(self) -> None:
        """Take away what was staged and never published: a process was killed in between, or the check said no."""
        newest = max((_number(each) for each in (self.current, self.good) if each is not None), default=-1)
        with suppress(FileNotFoundError):
            (self.root / DRAFT).unlink()
        for each in self._all():
            if _number(each) > newest:
                self.discard(each)

    def prune(self) -> None:
        """Keep the one that counts, the good one, and so many before them."""
        held = {self.current, self.good}
        others = sorted((each for each in self._all() if each not in held), key=_number, reverse=True)
        for each in others[self._keep :]:
            self.discard(each)

    def _write(self, generation: Path, name: str, content: Content) -> None:
        path = generation / relative(name)
        self._make(generation, path.parent)
        write_new(path, content.data, content.mode, ids_of(content.owner))
        sync_directory(path.parent)

    def _make(self, generation: Path, directory: Path) -> None:
        """The directories of a path, of our mode whatever the umask is."""
        for each in reversed([directory, *directory.parents]):
            if each.is_relative_to(generation) and each != generation and not each.exists():
                each.mkdir()
                each.chmod(self._mode)

    def _target(self, link: str) -> Path | None:
        try:
            target = self.root / os.readlink(self.root / link)  # noqa: PTH115 - the text as it stands there
        except OSError:
            return None
        ours = target.parent == self.root and target.name.startswith(_PREFIX) and target.is_dir()
        return target if ours else None

    def _all(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from [each for each in self.root.iterdir() if each.name.startswith(_PREFIX) and not each.is_symlink()]


def files_of(generation: Path) -> Iterator[str]:
    """The files of a generation, by their names in it."""
    for directory, _, names in os.walk(generation):
        for name in names:
            yield str(Path(directory, name).relative_to(generation))


def relative(name: str) -> PurePosixPath:
    """A name of a file in a generation: nothing that leads out of it.

    Raises:
        OSError: it would.
    """
    path = PurePosixPath(name.lstrip("/"))
    if not path.parts or ".." in path.parts or path.parts[0].startswith(".."):
        msg = "the name leads out of the set"
        raise OSError(msg)
    return path


def _number(generation: Path) -> int:
    digits = generation.name.removeprefix(_PREFIX).partition("-")[0]
    return int(digits) if digits.isdigit() else 0

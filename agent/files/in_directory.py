"""A set that is a directory: its names are links through `..data`, and one swap of that link publishes all of it."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from agent.files.generations import CURRENT, DRAFT, Generations, files_of, relative
from agent.files.record import Record
from agent.files.rendering import Content
from agent.files.standing import holds


class DirectoryPublication:
    """All of a directory, as mounted ConfigMaps are laid out."""

    def __init__(self, directory: Path, keep: int, record: Record) -> None:
        self._directory, self.record = directory, record
        self.generations = Generations(directory, keep)

    def publish(self, generation: Path) -> None:
        """Have readers see this generation, all of it at once."""
        wanted = {each.name for each in generation.iterdir()}
        before = self.generations.current
        known = set() if before is None else {each.name for each in before.iterdir()}
        for name in wanted:
            self._require_ours(name, known)
        self.generations.point(CURRENT, generation)
        shown = set(self._links())
        for name in sorted(wanted - shown):
            self._show(name)
        for name in shown - wanted:
            (self._directory / name).unlink()
        self.generations.sync()

    def adopt(self, _generation: Path) -> None:
        """Nothing: what is there already is never replaced here."""

    def differing(self, contents: Mapping[str, Content]) -> list[str]:
        """The files that are not as they should be: changed by somebody, or not there."""
        current = self.generations.current
        if current is None:
            return list(contents)
        shown = set(self._links())
        return [
            name
            for name, content in contents.items()
            if relative(name).parts[0] not in shown or not holds(current / relative(name), content)
        ]

    def places(self) -> Iterator[Path]:
        """All that makes up what is published."""
        current = self.generations.current
        yield self._directory / CURRENT
        if current is not None:
            yield from (self._directory / each.name for each in current.iterdir())
            yield from (current / name for name in files_of(current))

    def directories(self) -> Iterator[Path]:
        """Where somebody could change it, or move it away."""
        yield self._directory.parent
        yield self._directory
        if (current := self.generations.current) is not None:
            yield from (Path(directory) for directory, _, _ in os.walk(current))

    def _links(self) -> Iterator[str]:
        """The names that are ours."""
        for each in list(self._directory.iterdir()):
            if each.is_symlink() and os.readlink(each) == f"{CURRENT}/{each.name}":  # noqa: PTH115 - the text itself
                yield each.name

    def _require_ours(self, name: str, known: Collection[str]) -> None:
        """What was ours may be put right: an editor that replaces files leaves one instead of the link."""
        path = self._directory / name
        if name in known and not (path.is_dir() and not path.is_symlink()):
            return
        if os.path.lexists(path) and name not in set(self._links()):
            msg = f"{path} is there already and is not ours: move it away, or give the set a directory of its own"
            raise FileExistsError(msg)

    def _show(self, name: str) -> None:
        draft = self._directory / DRAFT
        draft.unlink(missing_ok=True)
        draft.symlink_to(f"{CURRENT}/{name}")
        draft.replace(self._directory / name)

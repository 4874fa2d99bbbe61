"""How a generation becomes what applications read: a directory in one swap, or single files one right after the other."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from agent.files.file_set import FileSet
from agent.files.generations import GOOD, Generations
from agent.files.in_directory import DirectoryPublication
from agent.files.in_places import FilesPublication
from agent.files.record import Record
from agent.files.rendering import Content


class Publication(Protocol):
    """Where the files of a set are. Every method works on the disk: call it beside the event loop.

    Raises:
        OSError: something cannot be read or written; what was published stands.
    """

    generations: Generations
    record: Record

    def publish(self, generation: Path) -> None: ...
    def adopt(self, generation: Path) -> None: ...
    def differing(self, contents: Mapping[str, Content]) -> list[str]: ...
    def places(self) -> Iterator[Path]: ...
    def directories(self) -> Iterator[Path]: ...


def publication_of(file_set: FileSet, state_dir: Path) -> Publication:
    """The publication of a set; that of single files keeps its generations in the agent's state."""
    name = hashlib.blake2b(file_set.name.encode(), digest_size=8).hexdigest()
    record = Record(state_dir / "files" / f"{name}.json")
    if file_set.directory is not None:
        return DirectoryPublication(file_set.directory, file_set.keep, record)
    return FilesPublication(state_dir / "files" / name, file_set.keep, record)


def confirm(publication: Publication, digest: bytes) -> None:
    """The application took what is published: it is what is returned to from now on."""
    generations = publication.generations
    if (current := generations.current) is not None:
        publication.record.write(current.name, digest)
        if current != generations.good:
            generations.point(GOOD, current)
    generations.prune()


def remembered(publication: Publication) -> bytes | None:
    """The digest of what was published to its end, also by a process before this one."""
    generations = publication.generations
    current = generations.current
    if current is None or current != generations.good:
        return None
    return publication.record.digest_of(current.name)

"""A snapshot as the bytes of a set's files. Nothing is written here."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.files.file_set import FileSet
from agent.files.formats import render
from agent.files.selecting import names, resolved
from agent.files.target import PLAIN_MODE, SENSITIVE_MODE, File, Owner
from agent.files.unrenderable import UnrenderableError
from agent.snapshot.model import Snapshot
from shared.domain.context import EvaluationContext


@dataclass(frozen=True, slots=True)
class Content:
    """What one file is to hold, how, and of which configs it was made."""

    data: bytes
    mode: int
    owner: Owner
    keys: tuple[str, ...]
    sensitive: bool


def rendered(file_set: FileSet, snapshot: Snapshot, own: EvaluationContext, now_ms: int) -> Mapping[str, Content]:
    """The content of every file of a set at one moment, by its path: absolute, or relative to the set's directory.

    Raises:
        UnrenderableError: which file cannot be rendered, and why.
    """
    found: dict[str, Content] = {}
    for file in file_set.files:
        path = str(file.path)
        try:
            found[path] = _content(file, snapshot, own, now_ms)
        except UnrenderableError as error:
            raise error.of(path) from error
    return found


def _content(file: File, snapshot: Snapshot, own: EvaluationContext, now_ms: int) -> Content:
    chosen = resolved(file, snapshot, own, now_ms)
    called = names(file.selection, chosen)
    sensitive = any(each.effective.entry.sensitive for each in chosen.values())
    data = render(file.format, {called[key]: each.value for key, each in chosen.items()})
    mode = file.mode if file.mode is not None else SENSITIVE_MODE if sensitive else PLAIN_MODE
    return Content(data, mode, file.owner, tuple(chosen), sensitive)

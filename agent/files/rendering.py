"""A snapshot as the bytes of a set's files. Nothing is written here."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.files.file_set import FileSet
from agent.files.formats import document
from agent.files.key_files import key_files
from agent.files.selecting import names, resolved
from agent.files.target import PLAIN_MODE, SENSITIVE_MODE, File, Format, Owner
from agent.files.templates import Job, Templates
from agent.files.unrenderable import UnrenderableError
from agent.snapshot.model import Snapshot
from agent.snapshot.own import PREFIX
from shared.domain.codec import Json, decode
from shared.domain.context import EvaluationContext

_LABEL = "label."
_NOTHING: Mapping[str, Json] = {}
_NOT_TOLD_APART = re.compile(r"[\W_]")
_WITHHELD = (
    "its format cannot say what a sensitive value holds, or two names meet; which is not told: keep sensitive values whole "
    "(`flatten: false`, `nested: false`), or give each its own file"
)
_ALREADY = "something else of the set is there already; rename the key, or choose another path"


@dataclass(frozen=True, slots=True)
class Content:
    """What one file is to hold, how, and of which configs it was made."""

    data: bytes
    mode: int
    owner: Owner
    keys: tuple[str, ...]
    sensitive: bool


def rendered(
    file_set: FileSet,
    snapshot: Snapshot,
    own: EvaluationContext,
    now_ms: int,
    templates: Templates | None = None,
) -> Mapping[str, Content]:
    """The content of every file of a set at one moment, by its path: absolute, or relative to the set's directory.

    `templates` remembers from one rendering to the next; give the same ones each time. They run a process.

    Raises:
        UnrenderableError: which file cannot be rendered, and why.
    """
    chosen = [_chosen(file, snapshot, own, now_ms) for file in file_set.files]
    jobs = [_job(file_set, each, at, own) for each in chosen if (at := each.file.template) is not None]
    texts = dict(zip((job.file for job in jobs), (templates or Templates()).render(jobs), strict=True)) if jobs else {}
    found: dict[str, Content] = {}
    for each in chosen:
        for path, data in _said(each, texts):
            if path in found:
                raise UnrenderableError(_ALREADY, file=path)
            found[path] = each.holding(data)
    for path in found if file_set.directory is not None else ():
        if any(str(above) in found for above in Path(path).parents):
            raise UnrenderableError(_ALREADY, file=str(Path(path).parent))
    return found


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A file with the values that are to be in it, by their names there, in order."""

    file: File
    values: Mapping[str, Json]
    renamed: Collection[str]
    keys: tuple[str, ...]
    sensitive: bool

    def holding(self, data: bytes) -> Content:
        mode = self.file.mode
        if mode is None:
            mode = SENSITIVE_MODE if self.sensitive else PLAIN_MODE
        return Content(data, mode, self.file.owner, self.keys, self.sensitive)


def _chosen(file: File, snapshot: Snapshot, own: EvaluationContext, now_ms: int) -> _Chosen:
    found = resolved(file, snapshot, own, now_ms)
    with _told_of(file):
        called = names(file.selection, found)
    values = {name: decode(found[key].value) for name, key in sorted((name, key) for key, name in called.items())}
    sensitive = any(each.effective.entry.sensitive for each in found.values())
    renamed = {name for key, name in called.items() if key in file.selection.renames}
    return _Chosen(file, values, renamed, tuple(found), sensitive)


def _said(chosen: _Chosen, texts: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """The files that one entry of a set makes."""
    file, path = chosen.file, str(chosen.file.path)
    with _told_of(file, chosen.values if chosen.sensitive else {}):
        if file.template is not None:
            yield path, texts[path].encode()
        elif file.format is Format.KEYS:
            yield from ((str(file.path / name), data) for name, data in key_files(chosen.values).items())
        else:
            yield path, document(file.format, chosen.values, file.layout, chosen.renamed)


def _job(file_set: FileSet, chosen: _Chosen, template: Path, own: EvaluationContext) -> Job:
    return Job(file_set.name, str(chosen.file.path), template, chosen.values, _itself(own), chosen.sensitive)


def _itself(own: EvaluationContext) -> dict[str, Json]:
    """What the agent knows of itself, as templates see it: `agent.instance`, `agent.label.region`."""
    known = {name.removeprefix(PREFIX): value for name, value in own.attributes.items()}
    labels = {name.removeprefix(_LABEL): value for name, value in known.items() if name.startswith(_LABEL)}
    return {**{name: value for name, value in known.items() if not name.startswith(_LABEL)}, "label": labels}


@contextmanager
def _told_of(file: File, secret: Mapping[str, Json] = _NOTHING) -> Iterator[None]:
    """Errors name their file. Names of members are a part of a sensitive value: what may hold one is not told."""
    try:
        yield
    except UnrenderableError as error:
        told = _bare(error.why)
        if any(name and name in told for value in secret.values() for name in map(_bare, _members(value))):
            raise UnrenderableError(_WITHHELD, file=str(file.path)) from error
        raise error.of(str(file.path)) from error


def _members(value: Json) -> Iterator[str]:
    """The names of all members of a value."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield name
        yield from _members(inner)
    for inner in value if isinstance(value, list) else ():
        yield from _members(inner)


def _bare(text: str) -> str:
    """A text as it can be found again, however a format writes its names."""
    return _NOT_TOLD_APART.sub("", text).lower()

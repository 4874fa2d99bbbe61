"""What the settings say of file sets: `files`, each a set of its own, and `file_sets`, by name."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from agent.files.file_set import KEEP, FileSet, OnDrift
from agent.files.hooks import Hook
from agent.files.target import File, Format
from agent.settings import hooks, parsers
from agent.settings.file import Inherited, file_of
from agent.settings.members import Members, MistakesError
from shared.domain.codec import Json

MAX_SETS = 100
MAX_FILES = 1_000
"""Files that are named, over all of a set."""
_MAX_KEEP = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def files(raw: Json) -> tuple[FileSet, ...]:
    """`/run/app/config.json,/run/app/.env`, or a list of paths and of mappings; each file is a set of its own."""
    parts = raw if isinstance(raw, list) else parsers.texts(raw)
    mistakes: list[str] = []
    found = [file_of(part, f"[{index}]", mistakes, Inherited()) for index, part in enumerate(parts)]
    sets = tuple(FileSet.alone(each) for each in found if each is not None)
    mistakes += overlaps(sets)
    if mistakes:
        raise MistakesError(mistakes)
    return sets


def file_sets(raw: Json) -> tuple[FileSet, ...]:
    """A mapping from names to sets, or the path of a YAML file that holds one."""
    if isinstance(raw, str):
        raw = _document(parsers.path(raw))
    if not isinstance(raw, dict) or len(raw) > MAX_SETS:
        msg = f"is no mapping of at most {MAX_SETS} sets; write each as `name: {{files: [...]}}`"
        raise ValueError(msg)
    mistakes: list[str] = []
    sets = tuple(_file_set(name, each, mistakes) for name, each in raw.items())
    mistakes += overlaps(sets)
    if mistakes:
        raise MistakesError(mistakes)
    return sets


def overlaps(sets: Iterable[FileSet]) -> list[str]:
    """Two sets that would write to the same place, or one into another's directory: what is wrong, and what to do."""
    owners = [(path, each.name) for each in sets for path in each.published()]
    found: list[str] = []
    seen: dict[Path, str] = {}
    for path, name in sorted(owners, key=lambda owner: len(owner[0].parts)):
        if (other := next((each for each in (path, *path.parents) if each in seen), None)) is not None:
            where = str(path) if path == other else f"{other} and {path} within it"
            found.append(f"names {where} twice ({seen[other]}, {name}); give each file one entry")
        seen.setdefault(path, name)
    return found


def _file_set(name: str, raw: Json, mistakes: list[str]) -> FileSet:
    members = Members(raw, name, mistakes)
    if not _NAME.fullmatch(name):
        members.wrong("", "is no name; give 1 to 63 letters, digits, dots, dashes or underscores")
    directory = members.take("directory", _directory, None)
    inherited = Inherited.of(members, within=directory is not None)
    found = [file_of(each, place, mistakes, inherited) for each, place in members.items("files")]
    files = tuple(each for each in found if each is not None)
    _look_at(members, files, directory)
    quiet = members.take("quiet", hooks.seconds, 0.0)
    file_set = FileSet(
        name=name,
        files=files,
        directory=directory,
        check=members.take("check", partial(hooks.command, place=members.at("check")), None),
        reload=_reload(members),
        health=members.take("health", partial(hooks.health, place=members.at("health")), None),
        restore=members.take("restore", parsers.boolean, True),
        keep=members.take("keep", _keep, KEEP),
        quiet=quiet,
        max_wait=members.take("max_wait", hooks.seconds, 4 * quiet),
        min_interval=members.take("min_interval", hooks.seconds, 0.0),
        on_drift=OnDrift(members.take("on_drift", parsers.one_of(*OnDrift), OnDrift.REPAIR)),
        dry_run=members.take("dry_run", parsers.boolean, False),
    )
    if members.sound:
        members.close()
    return file_set


def _reload(members: Members) -> tuple[Hook, ...]:
    raw = members.raw("reload")
    elements = raw if isinstance(raw, list) and any(isinstance(each, dict) for each in raw) else [raw]
    found: list[Hook] = []
    for index, each in enumerate(elements if raw is not None else []):
        try:
            found.append(
                hooks.hook(each, f"{members.at('reload')}[{index}]" if len(elements) > 1 else members.at("reload"))
            )
        except MistakesError as error:
            members.mistakes += error.mistakes
    return tuple(found)


def _look_at(members: Members, files: tuple[File, ...], directory: Path | None) -> None:
    """Tell what is wrong with the files of a set as a whole."""
    if not members.sound:
        return
    if not members.has("files"):
        members.wrong("files", "is missing; give at least one, as {path: app.json}")
    if len(files) > MAX_FILES:
        members.wrong("files", f"has more than {MAX_FILES:,} entries; make more sets of them")
    if directory is None:
        for each in files:
            if each.format == Format.KEYS:
                members.wrong(
                    "", f"has one file per key at {each.path}, which takes a `directory:` of its own; give one"
                )
        return
    formats = {each.path: each.format for each in files}
    if len(formats) < len(files):
        members.wrong("files", "names a path twice; give each file one entry")
    for path in formats:
        if above := next((each for each in path.parents if formats.get(each, Format.KEYS) != Format.KEYS), None):
            members.wrong("files", f"has {path} below {above}, which is a file; choose another path")


def _directory(raw: Json) -> Path:
    found = Path(parsers.text(raw)).expanduser()
    if not found.is_absolute() or found == Path("/") or ".." in found.parts:
        msg = f"is {str(found)!r}; give an absolute path, as /run/app/config"
        raise ValueError(msg)
    return found


def _keep(raw: Json) -> int:
    found = parsers.text(raw)
    if not found.isdecimal() or int(found) > _MAX_KEEP:
        msg = f"is {found!r}; give a whole number from 0 to {_MAX_KEEP}"
        raise ValueError(msg)
    return int(found)


def _document(path: Path) -> Mapping[str, Json]:
    """The sets in a file of their own, every scalar the text that was written."""
    from agent.settings.texts import TextsError, read_texts  # noqa: PLC0415 - memory that only an agent with a file should pay

    try:
        document = read_texts(path)
    except OSError as error:
        msg = f"names {path}, which cannot be read ({error.strerror}); correct path or mode"
        raise ValueError(msg) from error
    except TextsError as error:
        msg = f"names {path}, which {error}"
        raise ValueError(msg) from error
    if not isinstance(document, dict):
        msg = f"names {path}, which holds no sets; write each as `name: {{files: [...]}}`"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for everything that cannot be taken
    return document

"""Bring a directory to a document: only files that changed are written, and only what an export wrote is replaced.

The manifest holds a digest of every file as it was left. A file that is another by now was edited: it is not touched
unless it says the same as what would be written, or the caller wants it overwritten.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from control_plane.cli.tree import MANIFEST, TreeError, files_of, head_of, is_ours, read_file
from shared.domain.codec import Json
from shared.runtime.whole_file import write_if_changed
from shared.wire.yaml_reading import YamlRefusedError, read_yaml
from shared.wire.yaml_text import yaml_document

_MODE = 0o644
_HEADER = "# Written by trimtab export. The digests tell which files were edited since.\n"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the files of a directory, by their paths."""

    written: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    unchanged: int = 0


def write_tree(directory: Path, document: Json, of: str, *, overwrite: bool) -> Written:
    """Bring a directory to a document; `of` says of what it is an export.

    Raises:
        TreeError: files there were edited or come from elsewhere, or the directory holds an export of something else.
        OSError: it cannot be written.
    """
    known = _manifest(directory, of)
    wanted = dict(files_of(document))
    if strange := sorted(path for path in wanted if not is_ours(path)):
        msg = f"the answer names {strange[0]!r}, which is no place in a tree"
        raise TreeError(msg)
    gone = [path for path in known if path not in wanted]
    edited = [path for path in (*wanted, *gone) if _edited(directory / path, known.get(path), wanted.get(path))]
    if edited and not overwrite:
        more = f" and {len(edited) - 1} more" if len(edited) > 1 else ""
        msg = f"{edited[0]}{more} in {directory} changed since the last export: import it first, or use --overwrite"
        raise TreeError(msg)
    done = _write(directory, wanted, gone)
    _finish(directory, document, of, wanted)
    return done


def _manifest(directory: Path, of: str) -> dict[str, str]:
    path = directory / MANIFEST
    if not path.exists():
        return {}
    content = read_file(path)
    if content.get("of") != of:
        msg = f"{directory} holds an export of {content.get('of')}, not of {of}: choose another directory"
        raise TreeError(msg)
    files = content.get("files")
    return {name: digest for name, digest in files.items() if is_ours(name)} if isinstance(files, dict) else {}


def _edited(path: Path, digest: str | None, wanted: bytes | None) -> bool:
    """Whether a file is there that an export did not leave like this, and that says something else than is wanted."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return digest != _digest(content) and not _same(content, wanted)


def _same(content: bytes, wanted: bytes | None) -> bool:
    if wanted is None:
        return False
    try:
        return content == wanted or bool(read_yaml(content) == read_yaml(wanted))
    except YamlRefusedError:
        return False


def _write(directory: Path, wanted: dict[str, bytes], gone: list[str]) -> Written:
    done, unchanged = Written(), 0
    for name, content in wanted.items():
        path = directory / name
        if path.is_file() and _same(path.read_bytes(), content):
            unchanged += 1
        elif write_if_changed(path, content, _MODE):
            done.written.append(name)
    for name in gone:
        path = directory / name
        if path.exists():
            path.unlink()
            done.deleted.append(name)
        with suppress(OSError):  # it holds something else still
            path.parent.rmdir()
            path.parent.parent.rmdir()
    return Written(done.written, done.deleted, unchanged)


def _finish(directory: Path, document: Json, of: str, wanted: dict[str, bytes]) -> None:
    digests = {name: _digest((directory / name).read_bytes()) for name in sorted(wanted)}
    manifest = yaml_document({**head_of(document), "of": of, "files": digests}, _HEADER)
    write_if_changed(directory / MANIFEST, manifest, _MODE)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

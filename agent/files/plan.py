"""A dry run: what would be written and called for a set, in words."""

from collections.abc import Mapping, Sequence
from difflib import unified_diff
from pathlib import Path

from agent.files.account import some
from agent.files.file_set import FileSet
from agent.files.hooks import Command, Hook, Post
from agent.files.rendering import Content

MAX_LINES = 200
"""Lines of differences that are shown."""
MAX_COMPARED = 256 * 1024
"""Bytes of a file beyond which only its size is told: comparing takes time that grows with the square."""
_MAX_LINE = 400


def planned(file_set: FileSet, contents: Mapping[str, Content], differing: Sequence[str]) -> str:
    """All of it; of files with sensitive values only that they would change."""
    calls = [f"check {' '.join(file_set.check.words)}"] if file_set.check is not None else []
    calls += [_said(each) for each in file_set.reload]
    calls += ["ask for health"] if file_set.health is not None else []
    then = f", then {', '.join(calls)}" if calls else ""
    lines = [line for name in differing for line in _difference(file_set, name, contents[name])]
    more = [f"… and {len(lines) - MAX_LINES:,} lines more"] if len(lines) > MAX_LINES else []
    return "\n".join([f"would write {some(differing)}{then}", *lines[:MAX_LINES], *more])


def _said(hook: Hook) -> str:
    if isinstance(hook, Command):
        return f"run {' '.join(hook.words)}"
    if isinstance(hook, Post):
        return f"POST {hook.url}"
    return f"send {hook.signal.name} to {hook.process or hook.pid_file}"


def _difference(file_set: FileSet, name: str, content: Content) -> list[str]:
    place = Path(name) if file_set.directory is None else file_set.directory / name
    if content.sensitive:
        return [f"{place}: holds sensitive values, which are not shown"]
    before = _now(place)
    if before is None or len(content.data) > MAX_COMPARED:
        return [f"{place}: {len(content.data):,} bytes"]
    old, new = (data.decode(errors="replace").splitlines() for data in (before, content.data))
    lines = list(unified_diff(old, new, str(place), str(place), lineterm="", n=1))
    return [each[:_MAX_LINE] for each in lines] or [f"{place}: mode or owner"]


def _now(place: Path) -> bytes | None:
    """What is there, nothing included; None if it cannot be compared."""
    try:
        if not place.exists():
            return b""
        if not place.is_file() or place.stat().st_size > MAX_COMPARED:
            return None
        return place.read_bytes()
    except OSError:
        return None

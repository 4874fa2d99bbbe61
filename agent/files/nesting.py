"""Dotted keys as nested members: `db.pool` and `db.host` become one object `db`."""

from collections.abc import Mapping

from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json

_Path = tuple[str, ...]


def nested(values: Mapping[str, Json]) -> dict[str, Json]:
    """The tree of all keys. Objects that meet become one; what only one of two can be is an error.

    Raises:
        UnrenderableError: two keys say what one member is.
    """
    root: dict[str, Json] = {}
    owners: dict[_Path, str] = {}
    for key, value in values.items():
        _put(root, tuple(key.split(".")), value, key, owners)
    return root


def _put(root: dict[str, Json], path: _Path, value: Json, key: str, owners: dict[_Path, str]) -> None:
    if isinstance(value, dict):
        _branch(root, path, key, owners)
        for name, inner in value.items():
            _put(root, (*path, name), inner, key, owners)
        return
    above = _branch(root, path[:-1], key, owners)
    if path[-1] in above:
        raise UnrenderableError(_both(owners.get(path) or _inside(path, owners), key, path))
    above[path[-1]] = value
    owners[path] = key


def _branch(root: dict[str, Json], path: _Path, key: str, owners: dict[_Path, str]) -> dict[str, Json]:
    """The object at a path, made if there is none."""
    node = root
    for depth, part in enumerate(path, 1):
        inner = node.setdefault(part, {})
        if not isinstance(inner, dict):
            raise UnrenderableError(_both(owners[path[:depth]], key, path[:depth]))
        owners.setdefault((*path[:depth], ""), key)
        node = inner
    return node


def _inside(path: _Path, owners: Mapping[_Path, str]) -> str:
    """Who made the object at a path."""
    return owners[(*path, "")]


def _both(first: str, second: str, path: _Path) -> str:
    where = ".".join(path)
    return f"{first!r} and {second!r} both say what {where!r} is; rename one of them, or leave keys as they are (`nested: false`)"

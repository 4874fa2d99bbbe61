"""A document of configs as a directory: one file for each scope, so that people can review what changed where.

```text
trimtab.yaml                              where and when it was taken, and which files an export wrote
global.yaml
apps/<app>/app.yaml
apps/<app>/environments/<environment>.yaml
```
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from control_plane.services.documents import YamlWriter
from shared.domain.codec import Json
from shared.domain.scope import NAME_PATTERN
from shared.wire.yaml_reading import YamlRefusedError, read_yaml

MANIFEST = "trimtab.yaml"
_GLOBAL = "global.yaml"
_OURS = re.compile(
    rf"global\.yaml|apps/(?P<app>{NAME_PATTERN})/(?:app|environments/(?P<environment>{NAME_PATTERN}))\.yaml"
)
_HEAD = ("trimtab", "installation", "revision")


class TreeError(Exception):
    """The directory is not the tree of a document; the text says which file, and why."""


def is_ours(path: str) -> bool:
    """Whether a file of this path (with slashes) can belong to a tree."""
    return _OURS.fullmatch(path) is not None


def head_of(document: Json) -> dict[str, Json]:
    """What a document says about itself."""
    return {name: document[name] for name in _HEAD if name in document}


def files_of(document: Json) -> Iterator[tuple[str, bytes]]:
    """The files of a document, but for the manifest: their paths (with slashes) and contents, in order."""
    if "global" in document:
        yield _GLOBAL, _scope(document["global"])
    for app_id, app in document["apps"].items():
        yield f"apps/{app_id}/app.yaml", _scope(app)
        for environment, scope in app.get("environments", {}).items():
            yield f"apps/{app_id}/environments/{environment}.yaml", _scope(scope)


def _scope(scope: Json) -> bytes:
    writer = YamlWriter()
    pieces = [writer.pair("description", scope["description"])] if scope.get("description") else []
    pieces.append(writer.open("configs"))
    for key, config in scope["configs"].items():
        pieces += [writer.open(key), *(writer.pair(name, value) for name, value in config.items()), writer.close()]
    pieces.append(writer.close())
    return "".join(pieces).encode()


def read_tree(directory: Path) -> dict[str, Json]:
    """The document of a directory.

    Raises:
        TreeError: a file cannot be read, or stands where none belongs.
    """
    document: dict[str, Json] = {"trimtab": 1, "apps": {}}
    found = sorted(
        each for each in directory.rglob("*") if each.suffix in {".yaml", ".yml"} and _visible(directory, each)
    )
    if not found:
        msg = f"{directory} has no files of an export"
        raise TreeError(msg)
    for path in found:
        _add(document, PurePosixPath(path.relative_to(directory)), read_file(path))
    return document


def read_file(path: Path) -> dict[str, Json]:
    """The mapping in a YAML file.

    Raises:
        TreeError: there is none, or it cannot be read.
    """
    try:
        content = read_yaml(path.read_bytes())
    except (OSError, YamlRefusedError) as error:
        msg = f"{path}: {error}"
        raise TreeError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: this is no mapping"
        raise TreeError(msg)
    return content


def _visible(directory: Path, path: Path) -> bool:
    """Whether a path has no hidden part: those belong to other tools."""
    return not any(part.startswith(".") for part in path.relative_to(directory).parts)


def _add(document: dict[str, Json], path: PurePosixPath, content: dict[str, Json]) -> None:
    if str(path) == MANIFEST:
        document.update(head_of(content))
        return
    place = _OURS.fullmatch(str(path))
    if place is None:
        msg = f"{path} is none of {MANIFEST}, {_GLOBAL}, apps/<app>/app.yaml, apps/<app>/environments/<name>.yaml"
        raise TreeError(msg)
    if (app_id := place["app"]) is None:
        document["global"] = content
        return
    app = document["apps"].setdefault(app_id, {})
    if (environment := place["environment"]) is None:
        app.update(content)
    else:
        app.setdefault("environments", {})[environment] = content

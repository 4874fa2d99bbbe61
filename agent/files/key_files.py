"""One file for each config, as secrets are mounted: its name is the key, its content the bare value."""

from collections.abc import Mapping

from agent.files.flattening import text_of
from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json

_MAX_NAME = 255
"""Bytes of a file's name that file systems take."""


def key_files(values: Mapping[str, Json]) -> dict[str, bytes]:
    """The content of each file by its name; no newline is added.

    Raises:
        UnrenderableError: a name is none for a file.
    """
    for name in values:
        if name.startswith("..") or name == "." or {"/", "\0"} & set(name) or len(name.encode()) > _MAX_NAME:
            msg = f"{name!r} cannot be the name of a file; rename it"
            raise UnrenderableError(msg)
    return {name: text_of(value).encode() for name, value in values.items()}

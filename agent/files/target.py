"""Which files to render: path, format, which keys, which mode."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PLAIN_MODE = 0o640
"""Mode of a file that holds no sensitive value, unless its target says otherwise."""

SENSITIVE_MODE = 0o600
"""Mode of a file that holds a sensitive value, unless its target says otherwise."""


class Format(StrEnum):
    """The form of a rendered file."""

    JSON = "json"
    YAML = "yaml"
    DOTENV = "dotenv"


@dataclass(frozen=True, slots=True)
class Target:
    """One file to render: the configs whose keys start with `prefix`, under their whole keys.

    `mode` None means `PLAIN_MODE`, or `SENSITIVE_MODE` as soon as the file holds a sensitive value.
    """

    path: Path
    format: Format
    prefix: str = ""
    mode: int | None = None


def format_of(path: Path) -> Format | None:
    """The format that a file's name stands for; None where it stands for none."""
    if path.name == ".env" or path.name.startswith(".env.") or path.suffix == ".env":
        return Format.DOTENV
    return {".json": Format.JSON, ".yaml": Format.YAML, ".yml": Format.YAML}.get(path.suffix)

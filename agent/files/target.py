"""One file of a set: its path, its format or template, which configs are in it and under which names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from shared.domain.context import ANYBODY, EvaluationContext

PLAIN_MODE = 0o640
"""Mode of a file that holds no sensitive value, unless it is said otherwise."""

SENSITIVE_MODE = 0o600
"""Mode of a file that holds a sensitive value, unless it is said otherwise."""


class Format(StrEnum):
    """The form of a rendered file."""

    JSON = "json"
    YAML = "yaml"
    TOML = "toml"
    DOTENV = "dotenv"
    PROPERTIES = "properties"
    INI = "ini"
    KEYS = "keys"
    """A directory with one file for each config."""
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who a file belongs to, by name or number; empty is whoever the agent runs as."""

    user: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which configs, and what they are called in the file.

    Those whose keys start with one of `prefixes` (all, without any); `strip` takes the longest of these off the key. A
    key in `renames` is called as it says there instead.
    """

    prefixes: tuple[str, ...] = ()
    strip: bool = False
    renames: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How values stand in the formats that leave a choice.

    `nested` turns dotted keys into nested members (json, yaml, toml, templates have both). `flatten` None is what the format
    does by itself: properties and ini have a line for each member of a value, dotenv has one for the whole value.
    `section` is where ini has keys without a dot. `escape_percent` doubles `%` in ini, for readers that interpolate.
    """

    nested: bool = False
    flatten: bool | None = None
    section: str = "main"
    escape_percent: bool = False


EVERYTHING = Selection()
AS_THE_FORMAT_DOES = Layout()
OURSELVES = Owner()


@dataclass(frozen=True, slots=True)
class File:
    """One file to render. `path` is absolute, or relative to the directory of the set that has one.

    `context` is for whom values are resolved, besides what the agent knows of itself. `template` is where the template is,
    for that format. `mode` None means `PLAIN_MODE`, or `SENSITIVE_MODE` as soon as there is a sensitive value in it.
    """

    path: Path
    format: Format
    selection: Selection = EVERYTHING
    layout: Layout = AS_THE_FORMAT_DOES
    context: EvaluationContext = ANYBODY
    template: Path | None = None
    mode: int | None = None
    owner: Owner = OURSELVES


def format_of(path: Path) -> Format | None:
    """The format that a file's name stands for; None where it stands for none."""
    if path.name == ".env" or path.name.startswith(".env.") or path.suffix == ".env":
        return Format.DOTENV
    return {
        ".json": Format.JSON,
        ".yaml": Format.YAML,
        ".yml": Format.YAML,
        ".toml": Format.TOML,
        ".properties": Format.PROPERTIES,
        ".ini": Format.INI,
    }.get(path.suffix)

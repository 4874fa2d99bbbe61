"""Settings out of the environment and the files that it names, with every problem told at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from control_plane.settings.checks import SECRET
from control_plane.settings.model import Settings

PREFIX = "TRIMTAB_"
FILE_SUFFIX = "_FILE"


class SettingsError(Exception):
    """Settings that cannot be used; one line for each, all of them at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load_settings(environ: Mapping[str, str], **overrides: object) -> Settings:
    """Read the settings; `overrides` (options of a command line) win over the environment where they are not None.

    Raises:
        SettingsError: some cannot be used.
    """
    problems: list[str] = []
    given: dict[str, Any] = {}
    for name in Settings.model_fields:
        try:
            if (text := _read(environ, name)) is not None:
                given[name] = text
        except (OSError, ValueError) as error:
            problems.append(str(error))
    given |= {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        problems += [_line(each["loc"][0], each["msg"]) for each in error.errors()]
        raise SettingsError(problems) from None
    if problems:
        raise SettingsError(problems)
    return settings


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def is_secret(field: str) -> bool:
    """Whether the field may come from a file, and is never shown."""
    return Settings.model_fields[field].json_schema_extra == SECRET


def _read(environ: Mapping[str, str], field: str) -> str | None:
    name = variable(field)
    text = environ.get(name)
    path = environ.get(name + FILE_SUFFIX) if is_secret(field) else None
    if path is None:
        return text
    if text is not None:
        msg = f"{name}: {name}{FILE_SUFFIX} is set as well; keep one of the two"
        raise ValueError(msg)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        msg = f"{name}{FILE_SUFFIX}: {path} cannot be read ({reason})"
        raise ValueError(msg) from error


def _line(field: str | int, message: str) -> str:
    text = message.removeprefix("Value error, ")
    meaning = (Settings.model_fields[str(field)].description or "").split(". ")[0].rstrip(".")
    return f"{variable(str(field))}: {text[:1].lower()}{text[1:]} ({meaning})"


def rows() -> Iterator[tuple[str, str, str]]:
    """Variable, default and meaning of every setting; for the reference."""
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default == "" else str(default).lower() if isinstance(default, bool) else str(default)
        meaning = field.description or ""
        if is_secret(name):
            meaning += f" Or `{variable(name)}{FILE_SUFFIX}`: a file that holds it."
        yield variable(name), shown, meaning

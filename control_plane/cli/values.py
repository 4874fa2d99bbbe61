"""Values between the command line and JSON: how they are given, and how they are shown."""

from pathlib import Path

import typer

from control_plane.cli.terminal import EXIT_USAGE, fail
from shared.domain.codec import Json, MalformedJsonError, decode, encode
from shared.wire.yaml_reading import YamlRefusedError, read_yaml

_NATURES = {"mask": "(masked)", "inherit": "(inherited)"}
WIDEST = 60
"""Characters of a value that fit beside the other columns of a table."""


def read_value(text: str) -> Json:
    """JSON, or a text as it is; `-` or `@FILE` reads it from there."""
    text = read_text(text)
    try:
        return decode(text)
    except MalformedJsonError:
        return text


def read_document(path: str) -> Json:
    """The document in a file of JSON or YAML, or on standard input (`-`)."""
    text = read_text(path if path == "-" else f"@{path}")
    try:
        return read_yaml(text.encode())
    except (YamlRefusedError, UnicodeError) as error:
        fail(f"{path} is neither JSON nor YAML: {error}", EXIT_USAGE)


def read_text(text: str) -> str:
    """The text itself, or that of standard input (`-`) or a file (`@FILE`)."""
    if text == "-":
        return typer.get_text_stream("stdin").read()
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        fail(f"{text[1:]} cannot be read: {error}", EXIT_USAGE)


def plain(value: Json) -> str:
    """A value for a script: texts without their quotes."""
    return value if isinstance(value, str) else encode(value).decode()


def brief(value: Json) -> str:
    """A value for a column."""
    text = encode(value).decode()
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def brief_config(config: Json) -> str:
    """What a config says, for a column: secrets and masks by their nature."""
    if config.get("sensitive"):
        return "(sensitive)"
    if (nature := _NATURES.get(config.get("kind", "value"))) is not None:
        return nature
    named = next((name for name in ("flag", "segment") if config.get(name) is not None), None)
    return brief(config.get("value")) if named is None else f"{named} {brief(config[named])}"


def place(thing: Json) -> str:
    """The application and environment of a thing."""
    return "/".join(part for part in (thing.get("app_id"), thing.get("environment")) if part) or "-"


def moment(text: str | None) -> str:
    """A time of the API, to the second."""
    return "-" if text is None else text[:19].replace("T", " ") + "Z"

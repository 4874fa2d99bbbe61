"""The filters that templates have besides Jinja2's own: a value as the text that some format takes."""

import base64
import hashlib
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from agent.files.dotenv import variable_name
from agent.files.flattening import text_of
from agent.files.properties import escaped_value
from agent.files.toml import toml_value
from shared.domain.codec import Json, encode, encode_pretty
from shared.wire.yaml_text import yaml_value


def _pretty(value: Json) -> str:
    return encode_pretty(value).decode().removesuffix("\n")


def _shell(value: Json) -> str:
    return shlex.quote(text_of(value))


def _base64(value: Json) -> str:
    return base64.b64encode(text_of(value).encode()).decode()


def _base64_decode(value: str) -> str:
    return base64.b64decode(value, validate=True).decode()


def _sha256(value: Json) -> str:
    return hashlib.sha256(text_of(value).encode()).hexdigest()


def _variable(value: str) -> str:
    return variable_name(value) if value else ""


def _plain(value: Json) -> str:
    return re.sub(r"\s*[\r\n]+\s*", " ", text_of(value)).strip()


FILTERS: Mapping[str, Callable[..., Any]] = {
    "json": lambda value: encode(value).decode(),
    "json_pretty": _pretty,
    "yaml": yaml_value,
    "toml": toml_value,
    "shell": _shell,
    "properties": lambda value: escaped_value(text_of(value)),
    "variable": _variable,
    "one_line": _plain,
    "base64": _base64,
    "base64_decode": _base64_decode,
    "sha256": _sha256,
}
"""By the names that templates know them under."""

"""Configs as the bytes of a file; equal configs give equal bytes."""

from collections.abc import Collection, Mapping

from agent.files.dotenv import dotenv_document
from agent.files.ini import ini_document
from agent.files.nesting import nested
from agent.files.properties import properties_document
from agent.files.target import AS_THE_FORMAT_DOES, Format, Layout
from agent.files.toml import toml_document
from shared.domain.codec import Json, decode, encode_pretty
from shared.wire.yaml_text import yaml_document

_HEADER = "# Written by trimtab-agent. Changes made here are lost.\n"


def render(form: Format, values: Mapping[str, bytes], layout: Layout = AS_THE_FORMAT_DOES) -> bytes:
    """The file's content for values in canonical JSON by name.

    Raises:
        UnrenderableError: the format has no way to say it; the text names the keys.
    """
    return document(form, {name: decode(values[name]) for name in sorted(values)}, layout)


def document(
    form: Format, values: Mapping[str, Json], layout: Layout = AS_THE_FORMAT_DOES, renamed: Collection[str] = ()
) -> bytes:
    """The file's content for values by name, in that order. `renamed` are the names that somebody chose.

    Raises:
        UnrenderableError: the format has no way to say it; the text names the keys.
    """
    match form:
        case Format.JSON:
            return encode_pretty(nested(values) if layout.nested else values)
        case Format.YAML:
            return yaml_document(nested(values) if layout.nested else values, _HEADER)
        case Format.TOML:
            return toml_document(nested(values) if layout.nested else values, _HEADER)
        case Format.PROPERTIES:
            return properties_document(values, _HEADER, flatten=layout.flatten is not False)
        case Format.INI:
            return ini_document(values, _HEADER, layout)
        case Format.DOTENV:
            return dotenv_document(values, _HEADER, flatten=layout.flatten is True, exact=renamed)
        case _:
            msg = f"{form} is not one document"
            raise ValueError(msg)

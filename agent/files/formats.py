"""A snapshot's configs as the bytes of a file; equal configs give equal bytes."""

from collections.abc import Callable, Mapping
from functools import partial

from agent.files.dotenv import dotenv_document
from agent.files.target import Format
from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json, decode, encode_pretty
from shared.wire.yaml_text import yaml_document

_HEADER = "# Written by trimtab-agent. Changes made here are lost.\n"
_DOCUMENTS: Mapping[Format, Callable[[Mapping[str, Json]], bytes]] = {
    Format.JSON: encode_pretty,
    Format.YAML: partial(yaml_document, header=_HEADER),
    Format.DOTENV: dotenv_document,
}


def render(form: Format, values: Mapping[str, bytes]) -> bytes:
    """The file's content for values in canonical JSON by key.

    Raises:
        UnrenderableError: the format has no way to say it; the text names the keys.
    """
    if form not in _DOCUMENTS:
        msg = f"the format {form} cannot be rendered yet"
        raise UnrenderableError(msg)
    return _DOCUMENTS[form]({key: decode(values[key]) for key in sorted(values)})

"""The corpus of hostile inputs, as tests of both programs use it."""

import base64

from shared.domain.codec import Json
from tests.rig.vectors import vectors


def texts() -> dict[str, str]:
    """What somebody may put where a text is expected, by what it tries."""
    return _texts("texts")


def templates() -> dict[str, str]:
    """Templates that try to get out, or to take all there is."""
    return _texts("templates")


def slow_templates() -> dict[str, str]:
    """Templates that never end."""
    return _texts("slow_templates")


def yaml() -> dict[str, str]:
    """Documents of YAML that no reader of settings should make anything of."""
    return _texts("yaml")


def bodies() -> dict[str, bytes]:
    """Bytes that somebody may send where JSON is expected."""
    return {each["name"]: _bytes(each) for each in vectors("hostile/bodies")}


def _texts(name: str) -> dict[str, str]:
    return {each["name"]: _text(each) for each in vectors(f"hostile/{name}")}


def _text(each: Json) -> str:
    return "".join(part * times for part, times in each["parts"]) if "parts" in each else str(each["text"])


def _bytes(each: Json) -> bytes:
    return _text(each).encode() if "parts" in each else base64.b64decode(each["base64"])

"""`GET /v1/openapi.json`: what the local API is, for whoever writes a client or just looks."""

from pathlib import Path

from agent.local_api.asked import Asked
from agent.local_api.reply import JSON, Reply
from shared.runtime.connection import SERVER

DOCUMENT = Path(__file__).with_name("openapi.json")
"""OpenAPI 3.1, written by hand; tests hold every answer against it."""

_HEADERS = (("Content-Type", JSON), ("Cache-Control", "no-cache"), ("Server", SERVER))


def described(_asked: Asked) -> Reply:
    """The document, read from the package: it is asked for so seldom that nobody keeps it."""
    return Reply(200, _HEADERS, DOCUMENT.read_bytes())

"""The documentation page: files of ours and of swagger-ui, read once, served under a strict policy, no network needed."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

from control_plane.api.preconditions import unchanged

OPENAPI = web.AppKey("openapi", bytes)
"""The OpenAPI document of this application."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HERE = Path(__file__).parent / "docs"
FILES = {
    "index.html": (_HERE / "index.html", "text/html"),
    "start.js": (_HERE / "start.js", "text/javascript"),
    "page.css": (_HERE / "page.css", "text/css"),
    "swagger-ui-bundle.js": (_HERE / "vendor/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (_HERE / "vendor/swagger-ui.css", "text/css"),
    "favicon-32x32.png": (_HERE / "vendor/favicon-32x32.png", "image/png"),
}


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is served."""

    body: bytes
    content_type: str
    etag: str


def response(request: web.Request, name: str) -> web.Response:
    """The answer with one of `FILES`."""
    file = _read(name)
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
    if unchanged(request, file.etag):
        return web.Response(status=304, headers=headers)
    charset = None if file.content_type.startswith("image/") else "utf-8"
    return web.Response(body=file.body, content_type=file.content_type, charset=charset, headers=headers)


@cache
def _read(name: str) -> _File:
    path, content_type = FILES[name]
    body = path.read_bytes()
    return _File(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:16]}"')

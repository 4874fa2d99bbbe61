"""Conditional answers: 304 for a reader that has the bytes already, and the same headers either way."""

from aiohttp import web

from agent.local_api.answers import Body
from shared.runtime.connection import SERVER

REVISION_HEADER = "Trimtab-Revision"
"""The snapshot's revision at the moment of the answer; not part of what the ETag stands for."""

CACHE_CONTROL = "private, no-cache"
"""Keep it if you like, but ask each time; and nobody in between keeps it."""


def reply(request: web.Request, body: Body, revision: int, content_type: str, vary: str = "") -> web.Response:
    """200 with the bytes, or 304."""
    headers = {"ETag": body.etag, "Cache-Control": CACHE_CONTROL, "Server": SERVER, REVISION_HEADER: str(revision)}
    if vary:
        headers["Vary"] = vary
    given = request.headers.get("If-None-Match")
    if given is not None and matches(given, body.etag):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = content_type
    return web.Response(body=body.content, headers=headers)


def matches(if_none_match: str, etag: str) -> bool:
    """Whether the header names the tag. The comparison is weak, as RFC 9110 has it for this header."""
    tags = (each.strip() for each in if_none_match.split(","))
    return any(each == "*" or each.removeprefix("W/") == etag for each in tags)


def prefers_text(accept: str) -> bool:
    """Whether a reader would rather have `text/plain` than JSON. Only one that names text ever gets it."""
    accept = accept.lower()
    if "text/" not in accept:
        return False
    ranked = {media: quality for media, quality in map(_weighed, accept.split(",")) if quality > 0}
    anything = ranked.get("*/*", 0.0)
    text = ranked.get("text/plain", ranked.get("text/*", anything))
    return text > ranked.get("application/json", ranked.get("application/*", anything))


def _weighed(part: str) -> tuple[str, float]:
    media, _, parameters = part.partition(";")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media.strip(), float(value)
            except ValueError:
                return media.strip(), 0.0
    return media.strip(), 1.0

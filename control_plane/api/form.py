"""Forms, as other standards than ours want them: bounded, in UTF-8, and every field once."""

from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import hdrs, web

from control_plane.api.reading import read_within
from control_plane.domain.limits import Limits

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 50


async def read_form(request: web.Request, limits: Limits) -> Mapping[str, str] | None:
    """Its fields; None if it is no form, or one that could be read in two ways."""
    raw = await read_within(request, "body_bytes", limits.body_bytes)
    if request.content_type != FORM:
        return None
    try:
        fields = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    found = dict(fields)
    return found if len(found) == len(fields) else None


def basic_of(request: web.Request) -> tuple[str, str] | None:
    """Client id and secret of HTTP's basic authentication, as RFC 6749 spells them; None if there are none."""
    scheme, _, word = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = b64decode(word.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return (unquote_plus(name), unquote_plus(secret)) if colon else ("", "")

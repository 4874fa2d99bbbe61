"""Conditional answers in the form that a reader can take: 304 for one that has the bytes already, gzip, or 406."""

import gzip
from dataclasses import dataclass

from agent.local_api.answers import Body
from agent.local_api.asked import Asked
from agent.local_api.errors import not_acceptable
from agent.local_api.reply import JSON, Reply, Tally
from shared.runtime.connection import SERVER

REVISION_HEADER = "Trimtab-Revision"
"""The snapshot's revision at the moment of the answer; not part of what the ETag stands for."""

CACHE_CONTROL = "private, no-cache"
"""Keep it if you like, but ask each time; and nobody in between keeps it."""

TEXT = "text/plain; charset=utf-8"
ZIPPED_FROM = 2_048
"""Bytes from which on a document of many configs is compressed for who asks for that."""
_ZIP_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Form:
    """The bytes of an answer and what they are."""

    body: Body
    content_type: str = JSON
    vary: str = ""
    encoding: str = ""


def reply(asked: Asked, form: Form, revision: int, tally: Tally | None = None) -> Reply:
    """200 with the bytes, or 304."""
    body = form.body
    headers = [
        ("ETag", body.etag),
        ("Cache-Control", CACHE_CONTROL),
        ("Server", SERVER),
        (REVISION_HEADER, str(revision)),
    ]
    if form.vary:
        headers.append(("Vary", form.vary))
    given = asked.headers.get("if-none-match")
    if given is not None and matches(given, body.etag):
        return Reply(304, tuple(headers), tally=tally)
    headers.append(("Content-Type", form.content_type))
    if form.encoding:
        headers.append(("Content-Encoding", form.encoding))
    return Reply(200, tuple(headers), body.content, tally)


def bulky(asked: Asked, body: Body, revision: int, vary: str, tally: Tally | None = None) -> Reply:
    """The same for a document of many configs, compressed for a reader who asks for that."""
    vary = f"{vary}, Accept-Encoding"
    if len(body.content) < ZIPPED_FROM or not takes_gzip(asked.headers.get("accept-encoding", "")):
        return reply(asked, Form(body, vary=vary), revision, tally)
    etag = f'{body.etag[:-1]}-gzip"'
    given = asked.headers.get("if-none-match", "")
    content = b"" if matches(given, etag) else gzip.compress(body.content, _ZIP_LEVEL, mtime=0)
    return reply(asked, Form(Body(content, etag), vary=vary, encoding="gzip"), revision, tally)


def matches(if_none_match: str, etag: str) -> bool:
    """Whether the header names the tag. The comparison is weak, as RFC 9110 has it for this header."""
    tags = (each.strip() for each in if_none_match.split(","))
    return any(each == "*" or each.removeprefix("W/") == etag for each in tags)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a reader asks for gzip by its name."""
    return _weights(accept_encoding).get("gzip", 0.0) > 0


def require_json(asked: Asked) -> None:
    """Refuse a reader that takes no JSON.

    Raises:
        ProblemError: it takes none.
    """
    accept = asked.headers.get("accept", "")
    if accept and accept != "*/*" and _quality(_weights(accept), "application", "json") <= 0:
        raise not_acceptable(accept, JSON)


def prefers_text(asked: Asked) -> bool:
    """Whether a reader would rather have `text/plain` than JSON. Only one that names text ever gets it.

    Raises:
        ProblemError: it takes neither.
    """
    accept = asked.headers.get("accept", "")
    if not accept or accept == "*/*":
        return False
    weights = _weights(accept)
    text, json = _quality(weights, "text", "plain"), _quality(weights, "application", "json")
    if max(text, json) <= 0:
        raise not_acceptable(accept, f"{JSON} or text/plain")
    return text > json and ("text/plain" in weights or "text/*" in weights)


def _quality(weights: dict[str, float], kind: str, form: str) -> float:
    """How much a media type is wanted: what names it best counts."""
    return weights.get(f"{kind}/{form}", weights.get(f"{kind}/*", weights.get("*/*", 0.0)))


def _weights(header: str) -> dict[str, float]:
    return dict(map(_weighed, header.lower().split(",")))


def _weighed(part: str) -> tuple[str, float]:
    name, _, parameters = part.partition(";")
    for parameter in parameters.split(";"):
        option, _, value = parameter.partition("=")
        if option.strip() == "q":
            try:
                return name.strip(), float(value)
            except ValueError:
                return name.strip(), 0.0
    return name.strip(), 1.0

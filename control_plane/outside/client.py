"""Asking over HTTP: briefly, without following anybody elsewhere, and reading no more than a little."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from control_plane.ports.gates import Silence
from shared.domain.codec import Json, MalformedJsonError, decode

TIMEOUT = 5.0
"""Seconds for a question and its answer."""
MAX_ANSWER_BYTES = 64 * 1024
MAX_ERROR = 200
"""Characters of what it says about an error."""
_OK = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """A decoded answer with status 200."""

    document: Json


@asynccontextmanager
async def open_client(patience: float = TIMEOUT) -> AsyncIterator[aiohttp.ClientSession]:
    """A client until the block ends. It takes no proxy from the environment and keeps no cookies."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(patience),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "trimtab", "Accept": "application/json"},
    ) as session:
        yield session


async def post(
    session: aiohttp.ClientSession,
    url: str,
    *,
    json: Mapping[str, Json] | None = None,
    form: Mapping[str, str] | None = None,
) -> Reply | Silence:
    """What it answers, or why that is of no use. The URL itself is never told: there may be a secret in it."""
    try:
        async with session.post(url, json=json, data=form, allow_redirects=False) as answer:
            body = await _read(answer)
            if body is None:
                return Silence(f"its answer is longer than {MAX_ANSWER_BYTES} bytes")
            if answer.status != _OK:
                return Silence(f"it answered with status {answer.status}{_error(body)}")
            return Reply(decode(body))
    except TimeoutError:
        return Silence("it did not answer in time")
    except MalformedJsonError:
        return Silence("its answer is not JSON")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Silence(f"it cannot be asked ({type(error).__name__})")


def _error(body: bytes) -> str:
    """What it says about an error, if it says so as Prometheus does."""
    try:
        error = decode(body)["error"]
    except (MalformedJsonError, LookupError, TypeError):
        return ""
    return f": {error[:MAX_ERROR]}" if isinstance(error, str) else ""


async def _read(answer: aiohttp.ClientResponse) -> bytes | None:
    """The body; None if it is too long."""
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            return None
    return bytes(body)

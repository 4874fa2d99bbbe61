"""Asking over HTTP: briefly, without following anybody elsewhere, and reading no more than a little."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver

from control_plane.domain.reachable import PUBLIC, Reachable
from control_plane.outside.guard import Guard, RefusedAddressError, guarded_connector
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
async def open_client(
    patience: float = TIMEOUT, *, reachable: Reachable = PUBLIC, resolver: AbstractResolver | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client until the block ends, that connects to what is reachable only.

    It takes no proxy from the environment and keeps no cookies.
    """
    guard = Guard(reachable, resolver)
    async with aiohttp.ClientSession(
        connector=guarded_connector(guard),
        middlewares=(guard.check,),
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
    return await _ask(session.post(url, json=json, data=form, allow_redirects=False))


async def get(session: aiohttp.ClientSession, url: str) -> Reply | Silence:
    """What is there, or why that is of no use; for documents of issuers, such as their keys."""
    return await _ask(session.get(url, allow_redirects=False))


async def _ask(asking: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> Reply | Silence:
    try:
        async with asking as answer:
            return await _understood(answer)
    except TimeoutError:
        return Silence("it did not answer in time")
    except MalformedJsonError:
        return Silence("its answer is not JSON")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if _was_refused(error):
            return Silence("its address is not one that may be asked; see TRIMTAB_OUTSIDE_NETWORKS")
        return Silence(f"it cannot be asked ({type(error).__name__})")


async def _understood(answer: aiohttp.ClientResponse) -> Reply | Silence:
    body = await _read(answer)
    if body is None:
        return Silence(f"its answer is longer than {MAX_ANSWER_BYTES} bytes")
    if answer.status != _OK:
        return Silence(f"it answered with status {answer.status}{_error(body)}")
    return Reply(decode(body))


def _was_refused(error: BaseException | None) -> bool:
    """Whether the guard is behind it."""
    while error is not None and not isinstance(error, RefusedAddressError):
        error = error.__cause__ or error.__context__
    return error is not None


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

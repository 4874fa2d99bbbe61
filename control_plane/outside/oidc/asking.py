"""Asking the identity provider: briefly, following nobody, and reading no more than a little."""

from collections.abc import Mapping

import aiohttp

from control_plane.domain.errors import LoginFailedError, UnavailableError
from shared.domain.codec import Json, MalformedJsonError, decode

MAX_ANSWER_BYTES = 256 * 1024
PROVIDER = "the identity provider"
_SERVER_ERROR = 500
_OK = 200


async def ask(
    session: aiohttp.ClientSession,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Json]:
    """The JSON object that it answers with: to a form by POST, else by GET.

    Raises:
        UnavailableError: it is away, or in trouble.
        LoginFailedError: it refuses, or its answer is none.
    """
    method = "GET" if form is None else "POST"
    try:
        async with session.request(method, url, data=form, headers=headers, allow_redirects=False) as answer:
            body = await _read(answer)
            status = answer.status
    except TimeoutError as error:
        raise UnavailableError(PROVIDER, "did not answer in time", retry_after=5) from error
    except (aiohttp.ClientError, OSError) as error:
        raise UnavailableError(PROVIDER, type(error).__name__, retry_after=5) from error
    if status >= _SERVER_ERROR:
        raise UnavailableError(PROVIDER, f"answered with status {status}", retry_after=5)
    return _document(status, body)


def _document(status: int, body: bytes) -> dict[str, Json]:
    try:
        document = decode(body)
    except MalformedJsonError:
        document = None
    if status != _OK or not isinstance(document, dict):
        said = document.get("error") if isinstance(document, dict) else None
        word = said if isinstance(said, str) and said.replace("_", "").isalnum() else f"status {status}"
        msg = f"The identity provider refused ({word[:50]})."
        raise LoginFailedError(msg)
    return document


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            msg = "The identity provider's answer is too long."
            raise LoginFailedError(msg)
    return bytes(body)

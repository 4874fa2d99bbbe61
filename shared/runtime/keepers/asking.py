"""Requests to where secrets are kept: few, short, to one place each, and nothing of them in what is told of an error."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from yarl import URL

from shared.domain.codec import Json, MalformedJsonError, decode

_LIMITS = aiohttp.ClientTimeout(total=8.0, sock_connect=3.0)
_NOTHING: Mapping[str, str] = {}
MAX_ANSWER = 512 * 1024
"""Bytes of one answer."""


class SecretError(Exception):
    """A secret cannot be had; the text says why, and holds nothing of it. `denied`: nor will it be, as things are."""

    def __init__(self, why: str, *, denied: bool = False) -> None:
        super().__init__(why)
        self.denied = denied


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. The body may be a secret."""

    status: int
    body: bytes = field(repr=False)

    def json(self) -> Json:
        """The body, read.

        Raises:
            SecretError: it is no object.
        """
        try:
            found = decode(self.body)
        except MalformedJsonError:
            found = None
        if not isinstance(found, dict):
            why = f"the answer ({self.status}) cannot be read"
            raise SecretError(why)
        return found


class Asking:
    """Opens its connections when it is first used. Follows no redirect: a token goes where it was meant to and nowhere else."""

    def __init__(self, certificates: Path | None = None) -> None:
        self._certificates = certificates
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self, method: str, url: URL, headers: Mapping[str, str] = _NOTHING, body: bytes | None = None
    ) -> Answer:
        """Send one request.

        Raises:
            SecretError: nobody answers, or with too much.
        """
        try:
            async with self._opened(url).request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                content = await _bounded(response)
                return Answer(response.status, content)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            cause = getattr(error, "os_error", error)
            reason = getattr(cause, "strerror", None) or type(error).__name__
            why = f"{url.host} cannot be reached: {reason}"
            raise SecretError(why) from error

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self, url: URL) -> aiohttp.ClientSession:
        if self._session is None:
            tls: ssl.SSLContext | bool = True
            if url.scheme == "https":
                tls = ssl.create_default_context(cafile=self._certificates)
                tls.minimum_version = ssl.TLSVersion.TLSv1_2
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=8, ssl=tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_LIMITS,
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
            )
        return self._session


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, read as far as an answer goes."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER:
            why = f"the answer has more than {MAX_ANSWER:,} bytes"
            raise SecretError(why)
    return bytes(body)

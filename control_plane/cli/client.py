"""An ordinary client of the API, over the standard library: what any script could do."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from control_plane.cli.problems import told
from shared.domain.codec import Json, MalformedJsonError, decode, encode

PATIENCE = 10.0
"""Seconds to wait for an answer."""
_FIRST_ERROR = 400
_BLOCK = 256 * 1024
_NO_HEADERS: Mapping[str, str] = {}


class ClientError(Exception):
    """The request was not answered, or with a problem of this status; the text is for the operator."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests to the control plane at `url` with `token`."""

    url: str
    token: str = ""
    timeout: float = PATIENCE

    def read(self, path: str, query: Mapping[str, str | int | None]) -> bytes:
        """GET something that is no JSON, or is wanted as it is. An answer that breaks off is an error."""
        status, answer = self._send("GET", _with_query(path, query), None)
        if status >= _FIRST_ERROR:
            _result(status, answer)
        return answer

    def get(self, path: str, query: Mapping[str, str | int | None] | None = None) -> Json:
        """GET; parameters that are None are left out."""
        return self._request("GET", _with_query(path, query), None)

    def post(self, path: str, document: Json, *, idempotency_key: str | None = None) -> Json:
        """POST a JSON document; with an idempotency key it takes effect once, however often it is sent."""
        return self._request("POST", path, document, {"Idempotency-Key": idempotency_key} if idempotency_key else {})

    def put(self, path: str, document: Json, *, version: int | None = None) -> Json:
        """PUT a JSON document, in the place of the version that was read."""
        return self._request("PUT", path, document, _if_match(version))

    def patch(self, path: str, document: Json, *, version: int | None = None) -> Json:
        """PATCH with a JSON document, in the place of the version that was read."""
        return self._request("PATCH", path, document, _if_match(version))

    def delete(
        self, path: str, query: Mapping[str, str | int | None] | None = None, *, version: int | None = None
    ) -> Json:
        """DELETE the version that was read; parameters that are None are left out."""
        return self._request("DELETE", _with_query(path, query), None, _if_match(version))

    def pages(self, path: str, query: Mapping[str, str | int | None]) -> Iterator[Json]:
        """All items of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, {**query, "cursor": cursor})
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _request(self, method: str, path: str, document: Json, headers: Mapping[str, str] = _NO_HEADERS) -> Json:
        return _result(*self._send(method, path, document, headers))

    def stream(self, path: str, query: Mapping[str, str | int | None]) -> Iterator[bytes]:
        """GET something of any length, block by block. An answer that breaks off is an error."""
        with self._asked("GET", _with_query(path, query), None) as response:
            if response.status >= _FIRST_ERROR:
                _result(response.status, response.read())
            while block := response.read(_BLOCK):
                yield block

    def _send(
        self, method: str, path: str, document: Json, headers: Mapping[str, str] = _NO_HEADERS
    ) -> tuple[int, bytes]:
        with self._asked(method, path, document, headers) as response:
            return response.status, response.read()

    @contextmanager
    def _asked(
        self, method: str, path: str, document: Json, more: Mapping[str, str] = _NO_HEADERS
    ) -> Iterator[http.client.HTTPResponse]:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            msg = f"{self.url!r} is not an http:// or https:// address: set TRIMTAB_URL or give --url"
            raise ClientError(msg)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=self.timeout)
        headers = {"Accept": "application/json", "User-Agent": "trimtab-cli", **more}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        body = None
        if document is not None:
            body = encode(document)
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, parts.path.rstrip("/") + path, body, headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            msg = f"{self.url} does not answer ({error}): is the control plane running?"
            raise ClientError(msg) from error
        finally:
            connection.close()


def _if_match(version: int | None) -> Mapping[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _with_query(path: str, query: Mapping[str, str | int | None] | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _result(status: int, answer: bytes) -> Json:
    try:
        document = decode(answer) if answer else None
    except MalformedJsonError:
        document = None
    if status < _FIRST_ERROR:
        return document
    raise ClientError(told(status, document), status)

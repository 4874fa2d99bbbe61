"""How a request to AWS is signed (Signature Version 4), as its documentation says; pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote

from yarl import URL

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signs, until `expires` (unix seconds)."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    expires: float = float("inf")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests to one service in one region."""

    region: str
    service: str

    def headers(
        self,
        credentials: Credentials,
        now: datetime,
        url: URL,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        method: str = "POST",
    ) -> dict[str, str]:
        """The headers to send: those given, and what signs them."""
        moment = now.strftime("%Y%m%dT%H%M%SZ")
        sent = {**headers, "X-Amz-Date": moment} | (
            {"X-Amz-Security-Token": credentials.token} if credentials.token else {}
        )
        signed = {name.lower(): " ".join(text.split()) for name, text in sent.items()} | {"host": _host(url)}
        names = ";".join(sorted(signed))
        request = "\n".join(
            (
                method,
                quote(url.path, safe="/-_.~") or "/",
                _query(url),
                *(f"{name}:{signed[name]}" for name in sorted(signed)),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            )
        )
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = _mac(self._key(credentials, moment[:8]), text).hex()
        stated = f"Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
        return sent | {"Authorization": f"{_ALGORITHM} {stated}"}

    def _key(self, credentials: Credentials, day: str) -> bytes:
        key = f"AWS4{credentials.secret}".encode()
        for each in (day, self.region, self.service, "aws4_request"):
            key = _mac(key, each)
        return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _host(url: URL) -> str:
    return url.host or "" if url.is_default_port() else f"{url.host}:{url.port}"


def _query(url: URL) -> str:
    pairs = [(quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(url.raw_query_string, True)]
    return "&".join(f"{name}={text}" for name, text in sorted(pairs))

"""What is asked of the text of a setting. Each check raises a ValueError that says what to do."""

from base64 import b64decode
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic.config import JsonDict

from control_plane.domain.edge import Edge
from control_plane.domain.gates.outside import Prefixes, Sources
from control_plane.domain.proxies import TrustedProxies
from control_plane.domain.rates import Rate
from control_plane.domain.reachable import Reachable
from control_plane.key_encryption.local import LocalKeyEncryption
from shared.runtime.listen import Listen

SECRET: JsonDict = {"secret": True}
"""Marks a setting that may come from a file, and is never shown."""
_SHORTEST_TOKEN = 20
_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}
_SEAL_KEY_BYTES = 64


def url(*schemes: str) -> AfterValidator:
    """A URL of one of these schemes, or nothing."""

    def check(text: str) -> str:
        if text and not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            msg = f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            raise ValueError(msg)
        return text

    return AfterValidator(check)


def listen_address(text: str) -> str:
    """Where to listen."""
    return str(Listen.parse(text))


def token(text: str) -> str:
    """A token that is long enough, or nothing."""
    if text and len(text) < _SHORTEST_TOKEN:
        msg = f"must have at least {_SHORTEST_TOKEN} characters; `trimtab operator-key` makes a good one"
        raise ValueError(msg)
    return text


def key_of_exports(text: str) -> str:
    """A key of exports, or nothing."""
    if text and len(_decoded(text)) != _SEAL_KEY_BYTES:
        msg = f"must be {_SEAL_KEY_BYTES} random bytes in base64; `openssl rand -base64 {_SEAL_KEY_BYTES}` makes some"
        raise ValueError(msg)
    return text


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


def proxies(text: str) -> str:
    """Trusted proxies."""
    TrustedProxies.parse(text)
    return text


def sources(text: str) -> str:
    """Prometheus servers."""
    Sources.parse(text)
    return text


def prefixes(text: str) -> str:
    """Beginnings of URLs."""
    Prefixes.parse(text)
    return text


def rate(text: str) -> str:
    """How often something may be."""
    Rate.parse(text)
    return text


def networks(text: str) -> str:
    """Addresses and networks."""
    Reachable.parse(text)
    return text


def host_names(text: str) -> str:
    """Names of hosts."""
    Edge.parse(text, "", local=False)
    return text


def origins(text: str) -> str:
    """Origins of pages."""
    Edge.parse("", text, local=False)
    return text


def required(text: str) -> str:
    """Anything but nothing."""
    if not text:
        msg = "must be given, for example postgresql://trimtab:secret@db.example/trimtab"
        raise ValueError(msg)
    return text


def encryption_keys(text: str) -> str:
    """Key-encryption keys, or nothing."""
    if text:
        LocalKeyEncryption.parse(text)
    return text


def provider_url(text: str) -> str:
    """A URL over TLS, or on this machine; or nothing."""
    parts = urlsplit(text)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
    if text and not (safe and parts.hostname and not parts.query and not parts.fragment and not parts.username):
        msg = "must start with https:// and have no query (http:// only on this machine)"
        raise ValueError(msg)
    return text

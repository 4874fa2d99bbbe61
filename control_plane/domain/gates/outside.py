"""Which services outside may be asked: the Prometheus servers by their names, and what URLs of webhooks begin with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

MAX_NAMED = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SCHEMES = ("http", "https")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Sources:
    """Prometheus servers by name; "" is the first one. A URL may hold a password, so none is ever shown."""

    urls: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `URL`, or `name=URL` several times, with commas between.

        Raises:
            ValueError: one is no URL, or has no name of its own.
        """
        urls: dict[str, str] = {}
        for part in _parts(text):
            name, equals, url = part.partition("=")
            if not equals or "://" in name:
                name, url = "", part
            if urlsplit(url).scheme not in _SCHEMES or not urlsplit(url).hostname:
                msg = "must be an http:// or https:// URL, or several as name=URL, with commas between"
                raise ValueError(msg)
            if name in urls or (name and _NAME.fullmatch(name) is None):
                msg = "each of several has a name of its own, in lower case letters, digits and hyphens"
                raise ValueError(msg)
            urls.setdefault("", url)
            if name:
                urls[name] = url
        return cls(urls)


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What URLs may begin with: scheme, host and port are the same, and the path is the same or goes on below."""

    prefixes: tuple[tuple[str, str, int, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read URLs with commas between.

        Raises:
            ValueError: one is no http or https URL, or has a query.
        """
        parsed = [_place(each) for each in _parts(text)]
        if any(each is None for each in parsed) or "?" in text:
            msg = "must be http:// or https:// URLs without a user and a query, with commas between"
            raise ValueError(msg)
        return cls(tuple(filter(None, parsed)))

    @property
    def origins(self) -> tuple[str, ...]:
        """Scheme, host and port of each."""
        return tuple(
            f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" for scheme, host, port, _ in self.prefixes
        )

    def allows(self, url: str) -> bool:
        """Whether the URL begins like one of them; one that climbs (`..`) never does."""
        place = _place(url)
        if place is None:
            return False
        *host, path = place
        return any(
            host == their_host and (path == base or path.startswith(base if base.endswith("/") else f"{base}/"))
            for *their_host, base in self.prefixes
        )


def _parts(text: str) -> list[str]:
    parts = [each.strip() for each in text.split(",") if each.strip()]
    if len(parts) > MAX_NAMED:
        msg = f"at most {MAX_NAMED} of them"
        raise ValueError(msg)
    return parts


def _place(url: str) -> tuple[str, str, int, str] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _SCHEMES or not parts.hostname or "@" in parts.netloc or "\\" in url:
        return None
    path = unquote(unquote(parts.path)) or "/"
    if "\\" in path or any(each in {".", ".."} for each in path.split("/")):
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path or "/"

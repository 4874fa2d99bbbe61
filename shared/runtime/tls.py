"""TLS whose files are read again when they change: the next connection has the new certificate, nobody restarts."""

import logging
import os
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

LOOK_EVERY = 1.0
"""Seconds between two looks at the files: a burst of connections looks once."""

_log = logging.getLogger(__name__)

Build = Callable[[], ssl.SSLContext]
_Stamp = tuple[tuple[int, int, int] | None, ...]


class RenewedContext(ssl.SSLContext):
    """Whatever connects or listens with it uses what `build` made of the files as they are now.

    Files that cannot be used, or a certificate whose key has not come yet, change nothing: the last good ones go on.
    """

    _build: Build
    _files: tuple[Path, ...]
    _seen: _Stamp
    _look_at: float
    _present: ssl.SSLContext

    @classmethod
    def made(cls, purpose: int, build: Build, files: Sequence[Path]) -> Self:
        """A context for one side; `purpose` is `ssl.PROTOCOL_TLS_SERVER` or `ssl.PROTOCOL_TLS_CLIENT`.

        Raises:
            OSError, ssl.SSLError: the files cannot be used.
        """
        self = cls(purpose)
        self._build, self._files = build, tuple(files)
        self._seen, self._look_at = _stamp(self._files), time.monotonic() + LOOK_EVERY
        self._present = build()
        return self

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin one connection: what asyncio and uvloop ask of a context."""
        return self._current().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """The same for who blocks."""
        return self._current().wrap_socket(*args, **kwargs)

    def _current(self) -> ssl.SSLContext:
        now = time.monotonic()
        if now < self._look_at:
            return self._present
        self._look_at = now + LOOK_EVERY
        stamp = _stamp(self._files)
        if stamp != self._seen:
            try:
                self._present = self._build()
            except (OSError, ValueError) as error:  # an SSLError is an OSError
                # Looked at again: the second of two files may come a moment later.
                _log.error("new certificates cannot be used; the old ones are", extra={"error": type(error).__name__})
            else:
                self._seen = stamp
                _log.info("certificates were read again", extra={"files": [str(each) for each in self._files]})
        return self._present


def server_context(
    certificate: Path, key: Path, clients_by: Path | None = None, *, required: bool = False
) -> ssl.SSLContext:
    """For who listens. `clients_by`: the authorities of clients' certificates, which are asked for, or `required`.

    Raises:
        OSError, ssl.SSLError: the files cannot be used.
    """

    def build() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(certificate, key, _no_password)
        if clients_by is not None:
            context.load_verify_locations(clients_by)
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        return context

    files = [certificate, key, *([clients_by] if clients_by else [])]
    return RenewedContext.made(ssl.PROTOCOL_TLS_SERVER, build, files)


def client_context(
    authorities: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """For who connects. Without `authorities` those of the machine; `certificate`: what shows who we are.

    Raises:
        OSError, ssl.SSLError: the files cannot be used.
    """

    def build() -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=authorities)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key, _no_password)
        return context

    files = [each for each in (authorities, certificate, key) if each is not None]
    return RenewedContext.made(ssl.PROTOCOL_TLS_CLIENT, build, files)


def _no_password() -> str:
    """A key that is encrypted cannot be used: nobody is there to be asked, and OpenSSL would ask the terminal."""
    msg = "the key is encrypted; give one that is not, in a file that only this process may read"
    raise ValueError(msg)


def _stamp(files: Sequence[Path]) -> _Stamp:
    return tuple(map(_stamp_of, files))


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - on the way of each connection
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

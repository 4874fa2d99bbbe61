"""The key that the last known good is sealed with: kept apart from the records, and read when it is first needed."""

import base64
import binascii
import logging
import os
import secrets
import threading
from pathlib import Path

from agent.snapshot.durable import replace

KEY_BYTES = 32
"""AES-256."""
CREDENTIAL = "trimtab-state-key"
"""What systemd's credential is called: `LoadCredential=trimtab-state-key:/path`."""

_MAX_BYTES = 4096
_READABLE_BY_OTHERS = 0o007

_log = logging.getLogger(__name__)


class KeyMissingError(OSError):
    """There is no key, or what should be one is none; nothing can be sealed or opened."""


class StateKey:
    """Where the key comes from: `given` by the settings, a credential of systemd, or a file of our own (`default`).

    Only our own is made where it is missing: whoever names another one wants that one. Safe for threads.
    """

    def __init__(self, default: Path, given: Path | None = None, credentials: Path | None = None) -> None:
        credential = credentials / CREDENTIAL if credentials is not None else None
        self._theirs = given or (credential if credential is not None and credential.exists() else None)
        self._default = default
        self._mutex = threading.Lock()
        self._known: bytes | None = None

    @classmethod
    def of(cls, state_dir: Path, owner: str, given: Path | None = None) -> "StateKey":
        """The key of one app/environment that keeps its state in `state_dir`."""
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        return cls(state_dir / "keys" / f"{owner}.key", given, Path(credentials) if credentials else None)

    @property
    def path(self) -> Path:
        """The file that holds it, or is to hold it."""
        return self._theirs or self._default

    def find(self) -> bytes:
        """The key that there is.

        Raises:
            KeyMissingError: there is none that can be used.
        """
        with self._mutex:
            return self._found()

    def have(self) -> bytes:
        """The key that there is, or else a new one, which is durable before anything is sealed with it.

        Raises:
            OSError: there is none, and none can be made.
        """
        with self._mutex:
            if self._theirs is None and self._known is None and not self._default.exists():
                self._make()
            return self._found()

    def _found(self) -> bytes:
        if self._known is None:
            self._known = _read(self.path)
        return self._known

    def _make(self) -> None:
        self._default.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(self._default, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        _log.info("made a key for the last known good", extra={"file": str(self._default)})


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content, mode = file.read(_MAX_BYTES), os.fstat(file.fileno()).st_mode
    except OSError as error:
        msg = f"the state key {path} cannot be read ({error.strerror})"
        raise KeyMissingError(msg) from error
    if mode & _READABLE_BY_OTHERS:
        _log.warning("others may read the state key; have its mode be 0600", extra={"file": str(path)})
    return _parsed(path, content)


def _parsed(path: Path, content: bytes) -> bytes:
    """The key as base64, as hexadecimal digits, or as it is."""
    text = content.strip()
    for read in (bytes.fromhex, lambda each: base64.b64decode(each, validate=True)):
        try:
            key = read(text.decode("ascii"))
        except (ValueError, binascii.Error):
            continue
        if len(key) == KEY_BYTES:
            return key
    if len(content) == KEY_BYTES:
        return content
    msg = f"the state key {path} holds no {KEY_BYTES} bytes in base64; make one: openssl rand -base64 {KEY_BYTES}"
    raise KeyMissingError(msg)

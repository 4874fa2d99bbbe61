"""The sessions that `trimtab login` has begun, by control plane: in a file that only their owner can read."""

import os
import stat
from pathlib import Path

from control_plane.cli.terminal import fail
from shared.domain.codec import MalformedJsonError, decode, encode
from shared.runtime.whole_file import write_if_changed

_MODE = 0o600
_MAX_BYTES = 1024 * 1024


def token_for(url: str, given: str) -> str:
    """With which token to speak to a control plane: the one that was given, or else a session's."""
    return given or kept(url)


def kept(url: str) -> str:
    """The token of the session at this control plane; empty if there is none."""
    return _read().get(_name(url), "")


def keep(url: str, token: str) -> None:
    """Use this session from now on."""
    _write(_read() | {_name(url): token})


def forget(url: str) -> None:
    """Use no session at this control plane any more."""
    sessions = _read()
    if sessions.pop(_name(url), None) is not None:
        _write(sessions)


def _path() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "trimtab" / "sessions.json"


def _name(url: str) -> str:
    return url.rstrip("/")


def _read() -> dict[str, str]:
    path = _path()
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                fail(f"others can read {path}, where sessions are kept: remove it, and log in again")
            sessions = decode(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, MalformedJsonError) as error:
        fail(f"{path}, where sessions are kept, cannot be read ({type(error).__name__}): remove it, and log in again")
    return {str(url): str(token) for url, token in sessions.items()} if isinstance(sessions, dict) else {}


def _write(sessions: dict[str, str]) -> None:
    try:
        write_if_changed(_path(), encode(sessions), _MODE)
    except OSError as error:
        fail(f"the session cannot be kept in {_path()}: {error.strerror}")

"""The agent's own name: made once and kept, so that a restarted agent is still the same one of the fleet."""

import logging
import re
import secrets
import socket
from pathlib import Path

_KEPT = re.compile(r"[A-Za-z0-9_.-]{1,128}")

_log = logging.getLogger(__name__)


def kept_instance(directory: Path) -> str:
    """The name in the directory; the first time one is made of the host's name and a random part."""
    file = directory / "instance"
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:100] or "agent"
    made = f"{host}-{secrets.token_hex(3)}"
    try:
        kept = file.read_text().strip() if file.exists() else ""
        if _KEPT.fullmatch(kept):
            return kept
        file.write_text(f"{made}\n")
    except (OSError, UnicodeDecodeError) as error:
        _log.warning("the instance's name cannot be kept", extra={"file": str(file), "error": str(error)})
    return made

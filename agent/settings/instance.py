"""The agent's own name: given, or made once and kept, so that a restarted agent is still the same one of the fleet."""

import re
import secrets
import socket
from pathlib import Path

_KEPT = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def kept_instance(state_dir: Path) -> str:
    """The name in the state directory; the first time one is made of the host's name and a random part.

    Raises:
        OSError: the directory cannot be written.
    """
    file = state_dir / "instance"
    kept = file.read_text().strip() if file.exists() else ""
    if _KEPT.fullmatch(kept):
        return kept
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:100] or "agent"
    made = f"{host}-{secrets.token_hex(3)}"
    file.write_text(f"{made}\n")
    return made

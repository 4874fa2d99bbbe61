"""The secrets by which callers are known. Only their hashes are kept."""

import hashlib
import secrets

from control_plane.domain.access.role import Role


def new_token(role: Role) -> str:
    """A new secret of 256 bits; the prefix lets secret scanners and people see what it is."""
    return f"trimtab_{role}_{secrets.token_urlsafe(32)}"


def token_hash(token: str) -> bytes:
    """What is stored of a token. Tokens have 256 random bits, so a fast hash cannot be searched."""
    return hashlib.sha256(token.encode()).digest()

"""Access tokens, in the words of RFC 6749."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenView:
    """An access token (section 5.1), good for `expires_in` seconds."""

    access_token: str
    token_type: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class TokenErrorView:
    """Why there is none (section 5.2)."""

    error: str
    error_description: str

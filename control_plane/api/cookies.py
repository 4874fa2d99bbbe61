"""The cookies of browsers: one with the session, one that binds a login by the identity provider to its browser."""

from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

LOGIN_SECONDS = 600
"""How long somebody may take at the identity provider."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """How cookies are called and flagged. `plain`: for `trimtab dev`, over HTTP on this machine only.

    With the prefix `__Host-` browsers take a cookie over TLS only, and from nobody but this very host.
    """

    plain: bool = False

    @property
    def session(self) -> str:
        """The name of the session's cookie."""
        return "trimtab-dev" if self.plain else "__Host-trimtab"

    @property
    def login(self) -> str:
        """The name of the cookie that a browser has while it logs in elsewhere."""
        return f"{self.session}-login"

    def begin_session(self, response: web.StreamResponse, secret: str, lasting: timedelta) -> None:
        """Give the browser its session, and take what it needed to get there."""
        self._set(response, self.session, secret, lasting)

    def end_session(self, response: web.StreamResponse) -> None:
        """Take the session from the browser."""
        self._set(response, self.session, "", timedelta())

    def begin_login(self, response: web.StreamResponse, secret: str) -> None:
        """Let the browser show, when it comes back, that it is the one that went."""
        self._set(response, self.login, secret, timedelta(seconds=LOGIN_SECONDS))

    def end_login(self, response: web.StreamResponse) -> None:
        """It came back."""
        self._set(response, self.login, "", timedelta())

    def _set(self, response: web.StreamResponse, name: str, value: str, lasting: timedelta) -> None:
        seconds = int(lasting.total_seconds())
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=not self.plain, httponly=True, samesite="Lax"
        )


SAFE_COOKIES = Cookies()
"""Over TLS only."""

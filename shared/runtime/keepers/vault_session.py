"""Being logged in at Vault (or OpenBao): by a token in a file, an AppRole, or a Kubernetes service account."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
from yarl import URL

from shared.domain.codec import Json, encode
from shared.runtime.keepers.asking import Answer, Asking, SecretError

FORBIDDEN = 403
_OK, _NO_CONTENT = 200, 204
_EARLY = 0.66
"""The part of a token's life after which another one is asked for."""
_MAX_CREDENTIAL = 64 * 1024
_MOST_SAID = 1024
_REREAD = 60.0
"""Seconds after which a token's file is read again: somebody may renew it."""


class VaultRefusalError(SecretError):
    """Vault answered, but not with what it was asked for. What it `said` of that is not told: it may be about secrets."""

    def __init__(self, status: int, meaning: str = "it refuses, or cannot now", said: str = "") -> None:
        super().__init__(f"Vault answers {status}: {meaning}")
        self.status, self.said = status, said


@dataclass(frozen=True, slots=True)
class Login:
    """How we say who we are."""

    method: str = "token"
    mount: str = ""
    role: str = ""
    """The role's id (AppRole) or its name (Kubernetes)."""
    credential: Path | None = None
    """The file that holds the token, the secret id, or the service account's token."""


@dataclass(slots=True)
class _Token:
    text: str = field(repr=False)
    until: float = float("inf")


class VaultSession:
    """One Vault, at `url`. Logs in when it is first asked, and again when its token is about to end or was revoked."""

    def __init__(
        self,
        url: str,
        login: Login,
        asking: Asking,
        namespace: str = "",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._login, self._asking, self._now = URL(url), login, asking, now
        self._headers = {"X-Vault-Request": "true"} | ({"X-Vault-Namespace": namespace} if namespace else {})
        self._token: _Token | None = None
        self._turn = anyio.Lock()

    async def ask(self, method: str, path: str, body: Json = None, query: Mapping[str, str] | None = None) -> Answer:
        """Ask with our token; one that is refused may have been revoked, so once with another one.

        Raises:
            VaultRefusalError: it refuses.
            SecretError: it cannot be reached, or does not know us.
        """
        content = None if body is None else encode(body)
        for last in (False, True):
            token = await self._have_token()
            headers = self._headers | {"X-Vault-Token": token.text}
            answer = await self._asking.ask(method, self._at(path).with_query(query), headers, content)
            if answer.status in {_OK, _NO_CONTENT}:
                return answer
            if answer.status == FORBIDDEN and not last:
                self._token = None
                continue
            raise VaultRefusalError(answer.status, said=answer.body[:_MOST_SAID].decode(errors="replace"))
        raise AssertionError  # pragma: no cover - the loop ends by itself

    async def keep(self) -> None:
        """Prolong a token that was given to us, if it can be and most of its life is over; others we get anew by login.

        Raises:
            SecretError: it cannot be done now.
        """
        if self._login.method == "token":
            told = (await self.ask("GET", "auth/token/lookup-self")).json().get("data")
            match told:
                case {"renewable": True, "ttl": int(left), "creation_ttl": int(life)} if 0 < left < life * _EARLY:
                    await self.ask("POST", "auth/token/renew-self", {})

    async def _have_token(self) -> _Token:
        async with self._turn:
            if self._token is None or self._now() >= self._token.until:
                self._token = await self._logged_in()
            return self._token

    async def _logged_in(self) -> _Token:
        login = self._login
        credential = await anyio.to_thread.run_sync(_credential, login.credential)
        if login.method == "token":
            return _Token(credential, self._now() + _REREAD)
        member = ("role_id", "secret_id") if login.method == "approle" else ("role", "jwt")
        body = dict(zip(member, (login.role, credential), strict=True))
        url = self._at(f"auth/{login.mount or login.method}/login")
        answer = await self._asking.ask("POST", url, self._headers, encode(body))
        if answer.status != _OK:
            raise VaultRefusalError(answer.status, f"it does not take our {login.method} login")
        auth = answer.json().get("auth")
        token, life = (auth.get("client_token"), auth.get("lease_duration")) if isinstance(auth, dict) else (None, None)
        if not isinstance(token, str) or not isinstance(life, (int, float)):
            why = "Vault's answer to the login has no token"
            raise SecretError(why)
        return _Token(token, self._now() + life * _EARLY if life > 0 else float("inf"))

    def _at(self, path: str) -> URL:
        return self._url.joinpath("v1", *path.split("/"))


def _credential(path: Path | None) -> str:
    if path is None:
        why = "there is no credential for Vault"
        raise SecretError(why)
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_CREDENTIAL).decode("ascii").strip()
    except OSError as error:
        why = f"our credential for Vault, {path}, cannot be read ({error.strerror})"
        raise SecretError(why) from error
    except UnicodeDecodeError as error:
        why = f"our credential for Vault, {path}, is none"
        raise SecretError(why) from error
    if not text or not text.isprintable():
        why = f"our credential for Vault, {path}, is none"
        raise SecretError(why)
    return text

"""Vault (and OpenBao): secrets of the KV engine, version 2, and dynamic ones with their leases."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
from yarl import URL

from agent.secrets.asking import Answer, Asking
from agent.secrets.provider import Fetched, SecretError
from shared.domain.codec import Json, encode
from shared.domain.secret_reference import Engine

_MOUNT = "secret"
_OK, _FORBIDDEN, _NOT_FOUND = 200, 403, 404
_EARLY = 0.66
"""The part of a token's life after which another one is asked for."""
_MAX_CREDENTIAL = 64 * 1024


@dataclass(frozen=True, slots=True)
class Login:
    """How the agent says who it is: by a token in a file, an AppRole, or its Kubernetes service account."""

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


class Vault:
    """One Vault, at `url`."""

    often = False

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

    async def fetch(self, source: Mapping[str, str]) -> Fetched:
        if source.get("engine") == Engine.DYNAMIC:
            return _lent((await self._get(source["path"])).json())
        query = {"version": source["version"]} if "version" in source else {}
        answer = await self._get(f"{source.get('mount', _MOUNT)}/data/{source['path']}", query)
        data = _member(_member(answer.json(), "data"), "data")
        return Fetched(data)

    async def renew(self, fetched: Fetched) -> Fetched:
        body = {"lease_id": fetched.renewal}
        answer = await self._asked("PUT", self._at("sys/leases/renew"), body)
        again = answer.json()
        return Fetched(fetched.document, _seconds(again), fetched.renewal if again.get("renewable") is True else "")

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        return await self._asked("GET", self._at(path).with_query(query), None)

    async def _asked(self, method: str, url: URL, body: Json) -> Answer:
        """Ask with our token; one that is refused may have been revoked, so once with another one."""
        for last in (False, True):
            token = await self._have_token()
            headers = self._headers | {"X-Vault-Token": token.text}
            answer = await self._asking.ask(method, url, headers, None if body is None else encode(body))
            if answer.status == _OK:
                return answer
            if answer.status == _FORBIDDEN and not last:
                self._token = None
                continue
            raise _refusal(answer)
        raise AssertionError  # pragma: no cover - the loop ends by itself

    async def _have_token(self) -> _Token:
        async with self._turn:
            if self._token is None or self._now() >= self._token.until:
                self._token = await self._logged_in()
            return self._token

    async def _logged_in(self) -> _Token:
        login = self._login
        credential = await anyio.to_thread.run_sync(_credential, login.credential)
        if login.method == "token":
            # A file that somebody renews is read again now and then.
            return _Token(credential, self._now() + 60.0)
        member = ("role_id", "secret_id") if login.method == "approle" else ("role", "jwt")
        body = dict(zip(member, (login.role, credential), strict=True))
        url = self._at(f"auth/{login.mount or login.method}/login")
        answer = await self._asking.ask("POST", url, self._headers, encode(body))
        if answer.status != _OK:
            why = f"Vault does not take the agent's {login.method} login ({answer.status})"
            raise SecretError(why)
        auth = _member(answer.json(), "auth")
        token, life = auth.get("client_token"), auth.get("lease_duration")
        if not isinstance(token, str) or not isinstance(life, (int, float)):
            why = "Vault's answer to the login has no token"
            raise SecretError(why)
        return _Token(token, self._now() + life * _EARLY if life > 0 else float("inf"))

    def _at(self, path: str) -> URL:
        return self._url.joinpath("v1", *path.split("/"))


def _credential(path: Path | None) -> str:
    if path is None:
        why = "the agent has no credential for Vault"
        raise SecretError(why)
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_CREDENTIAL).decode("ascii").strip()
    except OSError as error:
        why = f"the agent's credential for Vault, {path}, cannot be read ({error.strerror})"
        raise SecretError(why) from error
    except UnicodeDecodeError as error:
        why = f"the agent's credential for Vault, {path}, is none"
        raise SecretError(why) from error
    if not text or not text.isprintable():
        why = f"the agent's credential for Vault, {path}, is none"
        raise SecretError(why)
    return text


def _lent(document: Json) -> Fetched:
    seconds, lease = _seconds(document), document.get("lease_id")
    renewable = document.get("renewable") is True and isinstance(lease, str)
    return Fetched(_member(document, "data"), seconds, lease if renewable else "")


def _seconds(document: Json) -> float | None:
    """How long a lease lasts; Vault says 0 where there is none."""
    seconds = document.get("lease_duration")
    if type(seconds) not in {int, float} or not 0 <= seconds < float("inf"):
        why = "Vault's answer has no lease"
        raise SecretError(why)
    return float(seconds) or None


def _member(document: Json, name: str) -> dict[str, Json]:
    found = document.get(name)
    if not isinstance(found, dict):
        why = "Vault's answer has no data; a secret that was deleted looks so"
        raise SecretError(why)
    return found


def _refusal(answer: Answer) -> SecretError:
    meaning = {_FORBIDDEN: "the agent may not read it", _NOT_FOUND: "there is no such secret"}
    return SecretError(f"Vault answers {answer.status}: {meaning.get(answer.status, 'it cannot now')}")

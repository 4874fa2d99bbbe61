"""Vault (and OpenBao): secrets of the KV engine, version 2, and dynamic ones with their leases."""

from collections.abc import Mapping

from agent.secrets.provider import Fetched
from shared.domain.codec import Json
from shared.domain.secret_reference import Engine
from shared.runtime.keepers.asking import Answer, SecretError
from shared.runtime.keepers.vault_session import FORBIDDEN, VaultRefusalError, VaultSession

_MOUNT = "secret"
_NOT_FOUND = 404
_MEANING = {FORBIDDEN: "the agent may not read it", _NOT_FOUND: "there is no such secret"}


class Vault:
    """One Vault, in which we are logged in."""

    often = False

    def __init__(self, session: VaultSession) -> None:
        self._session = session

    async def fetch(self, source: Mapping[str, str]) -> Fetched:
        if source.get("engine") == Engine.DYNAMIC:
            return _lent((await self._asked("GET", source["path"])).json())
        query = {"version": source["version"]} if "version" in source else {}
        answer = await self._asked("GET", f"{source.get('mount', _MOUNT)}/data/{source['path']}", query=query)
        data = _member(_member(answer.json(), "data"), "data")
        return Fetched(data)

    async def renew(self, fetched: Fetched) -> Fetched:
        answer = await self._asked("PUT", "sys/leases/renew", {"lease_id": fetched.renewal})
        again = answer.json()
        return Fetched(fetched.document, _seconds(again), fetched.renewal if again.get("renewable") is True else "")

    async def _asked(self, method: str, path: str, body: Json = None, query: Mapping[str, str] | None = None) -> Answer:
        try:
            return await self._session.ask(method, path, body, query)
        except VaultRefusalError as error:
            if meaning := _MEANING.get(error.status):
                raise VaultRefusalError(error.status, meaning) from error
            raise


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

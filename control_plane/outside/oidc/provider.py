"""OpenID Connect, the authorization code flow with PKCE (port `IdentityProvider`)."""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from control_plane.domain.errors import LoginFailedError
from control_plane.domain.people.provider import EndedThere, Going, Provider, identified
from control_plane.domain.people.user import Identified
from control_plane.outside.oidc.asking import ask
from control_plane.outside.oidc.discovery import Discovery, Endpoints
from control_plane.outside.oidc.keys import KeySet
from control_plane.outside.oidc.tokens import algorithm_of, require_of_login, verify, verify_logout
from shared.domain.codec import Json
from shared.runtime.clock import Clock


class OidcProvider:
    """One identity provider. Nothing is asked of it before somebody logs in: it may be away when we start."""

    def __init__(self, session: aiohttp.ClientSession, provider: Provider, clock: Clock) -> None:
        self._session, self._provider, self._clock = session, provider, clock
        self._discovery = Discovery(session, provider.issuer, clock)
        self._keys = KeySet(self._fetch_keys, clock)

    @property
    def issuer(self) -> str:
        return self._provider.issuer

    async def address(self, going: Going) -> str:
        endpoints = await self._discovery.endpoints()
        challenge = urlsafe_b64encode(hashlib.sha256(going.verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self._provider.redirect_url,
            "scope": " ".join(self._provider.scopes),
            "state": going.state,
            "nonce": going.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in endpoints.authorization else "?"
        return f"{endpoints.authorization}{joint}{urlencode(asked)}"

    async def identify(self, code: str, iss: str, going: Going) -> Identified:
        endpoints = await self._discovery.endpoints()
        if (iss or endpoints.names_itself) and iss != self._provider.issuer:
            msg = "The answer comes from another identity provider than the one that was asked."
            raise LoginFailedError(msg)
        answer = await self._exchange(endpoints, code, going)
        token, access_token = answer.get("id_token"), answer.get("access_token")
        claims = await self._verified(token, ["sub", "exp"])
        require_of_login(claims, going.nonce, access_token, algorithm_of(str(token)))
        return identified(self._provider, claims, await self._more(endpoints, claims, access_token))

    async def ended(self, token: str) -> EndedThere:
        return await verify_logout(
            token, self._keys, self._clock.now().timestamp(), issuer=self.issuer, client_id=self._provider.client_id
        )

    async def _verified(self, token: object, required: list[str]) -> dict[str, Any]:
        client_id = self._provider.client_id
        return await verify(token, self._keys, issuer=self.issuer, client_id=client_id, required=required)

    async def _exchange(self, endpoints: Endpoints, code: str, going: Going) -> dict[str, Json]:
        mine, headers = self._provider, {}
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": mine.redirect_url,
            "code_verifier": going.verifier,
        }
        if not mine.client_secret or endpoints.posts_secret:
            form |= {"client_id": mine.client_id}
        if mine.client_secret and endpoints.posts_secret:
            form |= {"client_secret": mine.client_secret}
        elif mine.client_secret:
            pair = f"{quote(mine.client_id, safe='')}:{quote(mine.client_secret, safe='')}"
            headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return await ask(self._session, endpoints.token, form=form, headers=headers)

    async def _more(self, endpoints: Endpoints, claims: dict[str, Any], access_token: object) -> dict[str, Json]:
        """What the token does not say and the provider may tell: only about the same person."""
        wanted = {self._provider.groups_claim, self._provider.user_claim}
        if wanted <= claims.keys() or not endpoints.userinfo or not isinstance(access_token, str):
            return {}
        told = await ask(self._session, endpoints.userinfo, headers={"Authorization": f"Bearer {access_token}"})
        if told.get("sub") != claims["sub"]:
            msg = "The identity provider told about somebody else."
            raise LoginFailedError(msg)
        return told

    async def _fetch_keys(self) -> dict[str, Json]:
        return await ask(self._session, (await self._discovery.endpoints()).keys)

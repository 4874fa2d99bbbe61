"""The company's identity provider: how this installation is known there, and what it says about somebody."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from control_plane.domain.errors import LoginFailedError
from control_plane.domain.people.user import Identified, is_user_name
from shared.domain.codec import Json

MAX_GROUPS = 200
MAX_GROUP = 200
_MAX_DISPLAY_NAME = 200
_MAX_SUBJECT = 255
_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Provider:
    """What the settings say."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_url: str
    scopes: tuple[str, ...]
    user_claim: str
    groups_claim: str


@dataclass(frozen=True, slots=True)
class Going:
    """Somebody on the way to the provider: what must come back, and what only we know."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Self:
        """Unlike any other."""
        return cls(*(secrets.token_urlsafe(_BYTES) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class EndedThere:
    """Somebody logged out at the provider: all of their sessions, or the one that `session` names."""

    subject: str
    session: str


def return_path(asked: str, otherwise: str) -> str:
    """A path of this installation: whatever could lead a browser elsewhere is no such path."""
    return asked if _LOCAL_PATH.fullmatch(asked) else otherwise


def identified(provider: Provider, claims: Mapping[str, Json], more: Mapping[str, Json]) -> Identified:
    """Who somebody is, by the claims of the token and by `more` that the provider was asked for.

    Raises:
        LoginFailedError: the provider does not say who.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT or "\0" in subject:
        msg = "The identity provider does not say who you are."
        raise LoginFailedError(msg)
    said = {**more, **claims}
    session = claims.get("sid")
    return Identified(
        issuer=provider.issuer,
        subject=subject,
        name=_name(provider.user_claim, said),
        display_name=_text(said.get("name"))[:_MAX_DISPLAY_NAME],
        groups=_groups(said.get(provider.groups_claim)),
        session=_text(session)[:_MAX_SUBJECT],
    )


def _name(claim: str, said: Mapping[str, Json]) -> str:
    name = _text(said.get(claim)).strip().lower()
    if claim == "email" and said.get("email_verified") is False:
        msg = "The identity provider has not verified your address."
        raise LoginFailedError(msg)
    if not is_user_name(name):
        msg = f"The identity provider gives you no name that can be used here (its claim {claim})."
        raise LoginFailedError(msg)
    return name


def _groups(said: Json) -> tuple[str, ...]:
    """The groups that are texts of a bearable length; too many are no more than the first ones."""
    found = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    good = {each for each in found if isinstance(each, str) and 0 < len(each) <= MAX_GROUP and each.isprintable()}
    return tuple(sorted(good)[:MAX_GROUPS])


def _text(said: Json) -> str:
    return "".join(each for each in said if each.isprintable()) if isinstance(said, str) else ""

"""What our access tokens say, pure: who their bearer is and what was granted to it.

A token names what it was given for (`cred`: the agent token, API key or login behind it), so that revoking that ends it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Grant, Principal, PrincipalKind, agent_of
from control_plane.domain.access.reach import Reach
from control_plane.domain.access.role import PERMISSIONS, Role, is_built_in
from shared.domain.codec import Json

ISSUER = "trimtab"
AUDIENCE = "trimtab-api"
MAX_GRANTS = 64
"""Grants that a token can carry; whoever has more uses what it got the token for."""


class MalformedClaimsError(ValueError):
    """The claims are not ones of ours."""


@dataclass(frozen=True, slots=True)
class Told:
    """A token's claims, read: its principal, its id, when and with which key it was made, and what it was given for."""

    principal: Principal
    jti: str
    issued_at: datetime
    credential: str
    kid: str

    @property
    def revocable_by(self) -> tuple[str, ...]:
        """What a revocation can name to end this token."""
        return revocable_by(self.principal, self.jti, self.credential)


def revocable_by(principal: Principal, jti: str, credential: str) -> tuple[str, ...]:
    """What a revocation can name to end a token of this principal's."""
    subjects = (f"token:{jti}", f"principal:{principal.id}", f"credential:{credential}")
    if principal.is_agent:
        own = agent_subject(principal.app_id or "", principal.environment or "", principal.instance or "")
        return (*subjects, own)
    return subjects


def agent_subject(app_id: str, environment: str, instance: str) -> str:
    """How a revocation names one agent."""
    return f"agent:{app_id}/{environment}/{instance}"


def claims_of(principal: Principal, jti: str, credential: str, now: int, lifetime: int) -> Mapping[str, Json]:
    """What a token for this principal says."""
    common = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": principal.id,
        "jti": jti,
        "cred": credential,
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        "kind": principal.kind,
    }
    if principal.is_agent:
        own = {"app_id": principal.app_id, "environment": principal.environment, "instance": principal.instance}
        return common | own
    found = {"groups": list(principal.groups), "grants": [_grant_document(each) for each in principal.grants]}
    return common | found | ({"addresses": list(principal.addresses)} if principal.addresses else {})


def read_claims(claims: Mapping[str, Json], kid: str) -> Told:
    """Read the claims of a token whose signature by this key, issuer and audience are good.

    Raises:
        MalformedClaimsError: they are not ones of ours.
    """
    try:
        jti, credential = _text(claims["jti"]), _text(claims["cred"])
        ends, issued = (datetime.fromtimestamp(claims[name], UTC) for name in ("exp", "iat"))
        return Told(_principal(claims, ends, jti), jti, issued, credential, kid)
    except (LookupError, TypeError, ValueError, OverflowError, OSError) as error:
        raise MalformedClaimsError(str(error)) from error


def _principal(claims: Mapping[str, Json], ends: datetime, jti: str) -> Principal:
    name, kind = _text(claims["sub"]), PrincipalKind(claims["kind"])
    if kind is PrincipalKind.AGENT:
        own = (_text(claims["app_id"]), _text(claims["environment"]))
        return agent_of(*own, name, instance=_text(claims["instance"]), expires_at=ends, credential=jti)
    grants = tuple(_grant(each) for each in claims["grants"])
    groups = tuple(_text(each) for each in claims["groups"])
    addresses = tuple(_text(each) for each in claims.get("addresses", ()))
    return Principal(name, kind, grants, expires_at=ends, groups=groups, credential=jti, addresses=addresses)


def _grant_document(grant: Grant) -> Json:
    document: dict[str, Json] = {"role": grant.role, "reach": str(grant.reach), "source": grant.source}
    if not is_built_in(grant.role):  # what it meant when the token was made: it lives for minutes
        document["permissions"] = sorted(grant.permissions)
    return document


def _grant(document: Json) -> Grant:
    role = _text(document["role"])
    permissions = (
        PERMISSIONS[Role(role)]
        if is_built_in(role)
        else frozenset(Permission(each) for each in document["permissions"])
    )
    return Grant(role, permissions, Reach.parse(_text(document["reach"])), _text(document["source"]))


def _text(value: Json) -> str:
    if not isinstance(value, str):
        msg = f"{type(value).__name__} where a text belongs"
        raise TypeError(msg)
    return value

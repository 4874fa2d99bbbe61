"""Tokens that others issue and we trust, pure: what an issuer's claims have to say, and what they make of their bearer.

Of an issuer's rules the first one decides that fits. A bearer whom none fits is nobody, however good the signature is: the
issuers of large CI services sign for everybody in the world.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from control_plane.domain.access.principal import Grant, Principal, PrincipalKind, agent_of
from control_plane.domain.access.revocation import LONGEST_TOKEN
from shared.domain.codec import Json

ANYTHING = "*"
MAX_STARS = 2
MAX_VALUE = 500
"""Characters of a claim that anything is compared with, and of the name that it gives."""
_NAME = re.compile(r"[!-~]{1,400}")
_MAX_INSTANCE = 200


class UntrustedError(ValueError):
    """A token that an issuer signed, and that means nothing to us; the reason holds nothing of it."""


@dataclass(frozen=True)
class Rule:
    """Whom it fits, and what they are then: a machine with these grants and groups, or an agent of an app/environment.

    `claims`: a claim's name, or the JSON pointer to it, and patterns of which one has to fit. `instance`: the claim with the
    name of the agent's instance.
    """

    claims: Mapping[str, tuple[str, ...]]
    grants: tuple[Grant, ...] = ()
    groups: tuple[str, ...] = ()
    agent: tuple[str, str] | None = None
    instance: str = ""

    @cached_property
    def _patterns(self) -> Sequence[tuple[str, Sequence[re.Pattern[str]]]]:
        return [(claim, [_compiled(each) for each in patterns]) for claim, patterns in self.claims.items()]

    def fits(self, claims: Mapping[str, Json]) -> bool:
        """Whether every claim that it names is there, and as it says."""
        return all(
            any(each.fullmatch(text) for each in patterns for text in _texts(_at(claims, claim)))
            for claim, patterns in self._patterns
        )


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """Who signs tokens that are good here. Its keys are in a file, at an address, or where it says itself."""

    name: str
    issuer: str
    audience: str
    rules: tuple[Rule, ...]
    keys_url: str = ""
    keys_file: str = ""


@dataclass(frozen=True, slots=True)
class Vouched:
    """What an issuer says, read: who that is, the token's own id and when it was made."""

    principal: Principal
    jti: str
    issued_at: datetime
    rule: Rule = field(repr=False)

    def granted(self, more: Sequence[Grant]) -> Principal:
        """The principal with what bindings grant it, too."""
        return replace(self.principal, grants=(*self.principal.grants, *more)) if more else self.principal


def vouched(issuer: TrustedIssuer, claims: Mapping[str, Json]) -> Vouched:
    """What the claims of a token say whose signature, issuer, audience and times are good.

    Raises:
        UntrustedError: nobody whom we know.
    """
    rule = next((each for each in issuer.rules if each.fits(claims)), None)
    if rule is None:
        msg = "no rule fits its claims"
        raise UntrustedError(msg)
    subject, jti, issued, ends = claims["sub"], claims.get("jti", ""), float(claims["iat"]), float(claims["exp"])
    if not isinstance(subject, str) or _NAME.fullmatch(subject) is None:
        msg = "its subject is no name"
        raise UntrustedError(msg)
    if not 0 <= ends - issued <= LONGEST_TOKEN.total_seconds():
        msg = "it is good for more than a day"
        raise UntrustedError(msg)
    over = datetime.fromtimestamp(ends, UTC)
    principal = _principal(f"{issuer.name}:{subject}", rule, claims, over)
    return Vouched(principal, jti if isinstance(jti, str) else "", datetime.fromtimestamp(issued, UTC), rule)


def _principal(name: str, rule: Rule, claims: Mapping[str, Json], over: datetime) -> Principal:
    if rule.agent is None:
        kind = PrincipalKind.SERVICE_ACCOUNT
        return Principal(name, kind, rule.grants, expires_at=over, groups=rule.groups, credential=name)
    instance = _at(claims, rule.instance) if rule.instance else None
    if rule.instance and not (
        isinstance(instance, str) and 0 < len(instance) <= _MAX_INSTANCE and "\0" not in instance
    ):
        msg = "the claim that names its instance does not"
        raise UntrustedError(msg)
    return agent_of(*rule.agent, name, instance=instance, expires_at=over, credential=name)


def _at(claims: Mapping[str, Json], claim: str) -> Json:
    """A claim by its name, or by a JSON pointer (RFC 6901) if it begins with a slash."""
    if not claim.startswith("/"):
        return claims.get(claim)
    found: Json = dict(claims)
    for part in claim.removeprefix("/").split("/"):
        if not isinstance(found, dict):
            return None
        found = found.get(part.replace("~1", "/").replace("~0", "~"))
    return found


def _texts(value: Json) -> Sequence[str]:
    """What there is to compare: of a list, each of its texts."""
    found = value if isinstance(value, list) else [value]
    spelled = [str(each).lower() if isinstance(each, bool) else each for each in found]
    return [each for each in spelled if isinstance(each, str) and len(each) <= MAX_VALUE]


def _compiled(pattern: str) -> re.Pattern[str]:
    """A star is anything but a slash or a colon: what such names are put together of stays apart."""
    return re.compile("[^/:]*".join(re.escape(each) for each in pattern.split(ANYTHING)))

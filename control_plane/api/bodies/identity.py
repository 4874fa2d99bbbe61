"""Credentials of agents, and the end of tokens before their time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from control_plane.api.bodies.fields import Body, Text, without_nul
from control_plane.domain.access.revocation import Revocation, is_subject
from control_plane.services.identity.enrolment import Enrolled
from shared.wire.report import MAX_TEXT


def _subject(text: str) -> str:
    if not is_subject(text):
        msg = "must be token:<id>, principal:<name>, credential:<id> or agent:<app>/<environment>/<instance>"
        raise ValueError(msg)
    return text


class Enrolling(Body):
    """An agent that wants a credential of its own."""

    instance: Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(without_nul)]
    """Which one of its app/environment it is; the credential is good for this one alone."""


@dataclass(frozen=True, slots=True)
class VerifyingKeyView:
    """A public key (Ed25519, in hexadecimal) that signs what agents get. `signs_from` may lie ahead."""

    kid: str
    public: str
    signs_from: datetime


@dataclass(frozen=True, slots=True)
class EnrolledView:
    """An agent's credential: shown instead of its token, renewed here before `expires_in` seconds are over."""

    credential: str
    id: str
    expires_in: int
    signing_keys: tuple[VerifyingKeyView, ...]

    @classmethod
    def of(cls, enrolled: Enrolled) -> Self:
        """Show a credential, once."""
        keys = tuple(VerifyingKeyView(each.kid, each.raw.hex(), each.signs_from) for each in enrolled.signing_keys)
        made = enrolled.credential
        return cls(made.token, made.jti, made.expires_in, keys)


class NewRevocation(Body):
    """Which tokens to end."""

    subject: Annotated[str, AfterValidator(_subject)]
    """`token:<id>`, `principal:<name>`, `credential:<id of an agent token or API key>`, `agent:<app>/<environment>/<instance>`."""
    reason: Text = ""
    """For people; it is audited."""


@dataclass(frozen=True, slots=True)
class RevocationView:
    """Tokens of `subject` that were issued before `before` are no good any more."""

    subject: str
    before: datetime
    reason: str
    revoked_by: str

    @classmethod
    def of(cls, revocation: Revocation) -> Self:
        """Show one."""
        return cls(revocation.subject, revocation.before, revocation.reason, revocation.revoked_by)

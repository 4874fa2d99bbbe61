"""Accounts of people, logins and sessions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field

from control_plane.api.bodies.fields import Body, Query, Text, without_nul
from control_plane.domain.people.password import MAX_LENGTH, MIN_LENGTH
from control_plane.domain.people.session import Carrier, Session, csrf_token
from control_plane.domain.people.user import NAME_PATTERN, NewUser, User, is_user_name
from control_plane.services.people.sessions import Opened

_LONGEST_TYPED = 1_024
_LONGEST_URL = 2_000


def _user_name(text: str) -> str:
    if not is_user_name(text):
        msg = "a user's name has 1 to 127 lower-case letters, digits and any of . _ @ + -, a letter or digit first"
        raise ValueError(msg)
    return text


UserName = Annotated[
    str, AfterValidator(_user_name), Field(json_schema_extra={"pattern": f"^{NAME_PATTERN}$", "examples": ["anna"]})
]
Typed = Annotated[str, AfterValidator(without_nul), Field(max_length=_LONGEST_TYPED, repr=False)]
NewPassword = Annotated[
    Typed, Field(json_schema_extra={"minLength": MIN_LENGTH, "maxLength": MAX_LENGTH, "format": "password"})
]


class NewAccount(Body):
    """An account to make."""

    name: UserName
    """Under which the person logs in; changes and audit records are attributed to `user:` and this name."""
    display_name: Text = ""
    """For people."""
    password: NewPassword
    """At least 12 characters, and none of those that everybody tries first. It is not checked for anything else."""

    @property
    def asked(self) -> NewUser:
        """What is asked for, in the domain's words."""
        return NewUser(self.name, self.display_name)


class PasswordReset(Body):
    """Another password for an account."""

    password: NewPassword
    """As for a new account."""


class PasswordChange(Body):
    """Another password for oneself."""

    current_password: Typed
    """The one of now."""
    new_password: NewPassword
    """As for a new account."""


class Login(Body):
    """Somebody who wants to log in."""

    name: Typed
    """Of the account."""
    password: Typed
    """Of the account."""
    carrier: Literal["cookie", "bearer"] = "cookie"
    """How the session travels: in a browser's cookie, or as a token in `Authorization`."""


class ProviderLoginQuery(Query):
    """Where to go after the identity provider."""

    return_to: Annotated[str, Field(max_length=_LONGEST_URL)] = ""
    """A path of this installation."""
    cli_port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """For `trimtab login`: the port on the person's own machine at which it listens for a code."""
    cli_challenge: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")] | None = None
    """For `trimtab login`: the SHA-256 of a secret of its own, which it shows with the code."""


class ProviderAnswer(Query):
    """What the identity provider sends the browser back with. What else it says is of no use to us."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    state: Annotated[str, Field(max_length=_LONGEST_URL)] = ""
    """Which login it is about."""
    code: Annotated[str, Field(max_length=4_096)] = ""
    """For which it gives out its word about the person."""
    iss: Annotated[str, Field(max_length=_LONGEST_URL)] = ""
    """Who it is."""
    error: Annotated[str, Field(max_length=_LONGEST_URL)] = ""
    """Why it does not."""


class CodeExchange(Body):
    """The code with which a browser came to `trimtab login`."""

    code: Annotated[str, Field(max_length=200)]
    """As it came."""
    verifier: Annotated[str, Field(max_length=200)]
    """The secret behind the challenge."""


@dataclass(frozen=True, slots=True)
class UserView:
    """An account. `external`: known by the identity provider, and without a password here."""

    name: str
    display_name: str
    external: bool
    disabled: bool
    created_at: datetime
    created_by: str
    password_changed_at: datetime | None
    last_login_at: datetime | None

    @classmethod
    def of(cls, user: User) -> Self:
        """Show an account."""
        return cls(
            user.name,
            user.display_name,
            user.external,
            user.disabled_at is not None,
            user.created_at,
            user.created_by,
            user.password_changed_at,
            user.last_login_at,
        )


@dataclass(frozen=True, slots=True)
class SessionView:
    """One's own session. `id` names it and opens nothing. Without use it is over at `expires_at`, at last at `ends_at`."""

    id: str
    user: str
    carrier: str
    current: bool
    address: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, session: Session, *, current: bool) -> Self:
        """Show a session."""
        return cls(
            session.id,
            session.user,
            session.carrier,
            current,
            session.address,
            session.user_agent,
            session.created_at,
            session.seen_at,
            session.expires_at,
            session.ends_at,
        )


@dataclass(frozen=True, slots=True)
class CurrentSessionView:
    """The session of this request. What changes something needs the `csrf_token` in the header `X-CSRF-Token`."""

    session: SessionView
    csrf_token: str | None

    @classmethod
    def of(cls, session: Session, secret: str) -> Self:
        """Show the session of this secret."""
        token = csrf_token(secret) if session.carrier is Carrier.COOKIE else None
        return cls(SessionView.of(session, current=True), token)


@dataclass(frozen=True, slots=True)
class LoginView:
    """A session that has just begun. `token`: where it travels as a token; it is shown this once."""

    session: SessionView
    csrf_token: str | None
    token: str | None

    @classmethod
    def of(cls, opened: Opened) -> Self:
        """Show a session that begins."""
        current = CurrentSessionView.of(opened.session, opened.secret)
        token = opened.secret if opened.session.carrier is Carrier.BEARER else None
        return cls(current.session, current.csrf_token, token)


@dataclass(frozen=True, slots=True)
class LoginMethodsView:
    """How one can log in here."""

    password: bool
    identity_provider: str | None

"""Issuers whose tokens machines may show: a file that names them and what their claims mean here."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from control_plane.domain.access.principal import built_in
from control_plane.domain.access.reach import Reach
from control_plane.domain.access.role import Role
from control_plane.domain.access.trust import ANYTHING, MAX_STARS, MAX_VALUE, Rule, TrustedIssuer
from control_plane.domain.api_key import is_reserved
from control_plane.settings.checks import provider_url
from shared.domain.scope import is_name

MAX_FILE_BYTES = 256 * 1024
_TOLD = 5


def _pattern(text: str) -> str:
    if not text.strip(ANYTHING) or text.count(ANYTHING) > MAX_STARS:
        msg = f"must say more than {ANYTHING}, and have at most {MAX_STARS} of these"
        raise ValueError(msg)
    return text


def _issuer_name(text: str) -> str:
    if not is_name(text) or is_reserved(text):
        msg = "must be lower case letters, digits and hyphens, and no reserved name (operator, system, agent…)"
        raise ValueError(msg)
    return text


def _scope_name(text: str) -> str:
    if not is_name(text):
        msg = "must be the name of one, exactly"
        raise ValueError(msg)
    return text


def _reach(text: str) -> str:
    return str(Reach.parse(text))


_Pattern = Annotated[str, Field(min_length=1, max_length=MAX_VALUE), AfterValidator(_pattern)]
_Claim = Annotated[str, Field(min_length=1, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Granted(_Strict):
    role: Literal["viewer", "editor", "approver", "publisher", "auditor", "admin"]
    reach: Annotated[str, AfterValidator(_reach)]


class _Agent(_Strict):
    app_id: Annotated[str, AfterValidator(_scope_name)]
    environment: Annotated[str, AfterValidator(_scope_name)]
    instance_claim: str = ""


class _RuleText(_Strict):
    claims: dict[_Claim, _Pattern | list[_Pattern]] = Field(min_length=1, max_length=20)
    roles: list[_Granted] = Field([], max_length=20)
    groups: list[Annotated[str, Field(pattern=r"^[^\s\x00-\x1f\x7f]{1,200}$")]] = Field([], max_length=20)
    agent: _Agent | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "_RuleText":
        if bool(self.agent) == bool(self.roles or self.groups) or [] in self.claims.values():
            msg = "must have roles or groups, or else an agent; and each claim a pattern"
            raise ValueError(msg)
        return self

    def rule(self, issuer: str) -> Rule:
        claims = {name: (text,) if isinstance(text, str) else tuple(text) for name, text in self.claims.items()}
        if self.agent is not None:
            return Rule(claims, agent=(self.agent.app_id, self.agent.environment), instance=self.agent.instance_claim)
        grants = (built_in(Role(each.role), Reach.parse(each.reach), f"issuer:{issuer}") for each in self.roles)
        return Rule(claims, tuple(grants), tuple(self.groups))


class _IssuerText(_Strict):
    name: Annotated[str, AfterValidator(_issuer_name)]
    issuer: Annotated[str, Field(min_length=1), AfterValidator(provider_url)]
    audience: str = Field(min_length=1, max_length=MAX_VALUE)
    keys_url: Annotated[str, AfterValidator(provider_url)] = ""
    keys_file: str = ""
    rules: list[_RuleText] = Field(min_length=1, max_length=500)

    def trusted(self) -> TrustedIssuer:
        rules = tuple(each.rule(self.name) for each in self.rules)
        return TrustedIssuer(self.name, self.issuer, self.audience, rules, self.keys_url, self.keys_file)


_ISSUERS = TypeAdapter(Annotated[list[_IssuerText], Field(max_length=50)])


def read_issuers(path: str) -> tuple[TrustedIssuer, ...]:
    """The issuers that a file names; none without a file.

    Raises:
        ValueError: it cannot be read, or says something that cannot be.
    """
    if not path:
        return ()
    try:
        with Path(path).open("rb") as file:
            issuers = tuple(each.trusted() for each in _ISSUERS.validate_json(file.read(MAX_FILE_BYTES)))
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror})"
        raise ValueError(msg) from error
    except ValidationError as error:
        wrong = [f"/{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:_TOLD]]
        msg = f"{path}: {'; '.join(wrong)}"
        raise ValueError(msg) from None
    for said in ({each.name for each in issuers}, {each.issuer for each in issuers}):
        if len(said) < len(issuers):
            msg = f"{path}: each issuer and each name may be there once"
            raise ValueError(msg)
    return issuers


def _readable(path: str) -> str:
    read_issuers(path)
    return path


class IssuerSettings(BaseModel):
    """Machines that others vouch for."""

    trusted_issuers_file: Annotated[str, AfterValidator(_readable)] = Field(
        "",
        description="A JSON file that names issuers whose tokens machines may show instead of keys of ours, such as CI "
        "services and Kubernetes clusters, and what their claims mean here. Read at the start. Empty: there are none.",
    )

    @property
    def issuers(self) -> tuple[TrustedIssuer, ...]:
        """Whose tokens are good here."""
        return read_issuers(self.trusted_issuers_file)

    @property
    def issuer_urls(self) -> tuple[str, ...]:
        """Where they are asked for their keys, which may be within the company."""
        return tuple(each.keys_url or each.issuer for each in self.issuers if not each.keys_file)

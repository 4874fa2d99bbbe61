"""How people log in: sessions, and the company's identity provider."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, PositiveFloat, ValidationInfo, field_validator

from control_plane.domain.people.provider import Provider
from control_plane.domain.people.session import Lifetime
from control_plane.settings.checks import SECRET, provider_url
from shared.runtime.listen import Listen


class PeopleSettings(BaseModel):
    """Sessions and the identity provider."""

    session_idle: PositiveFloat = Field(1_800.0, description="Seconds after which a session that nobody uses is over.")
    session_lifetime: PositiveFloat = Field(43_200.0, description="Seconds after which any session is over.")
    plain_cookies: bool = Field(
        False,
        description="Whether sessions travel in cookies without TLS, for `trimtab dev`: only where TRIMTAB_LISTEN is "
        "this machine and there are no proxies.",
    )
    oidc_issuer: Annotated[str, AfterValidator(provider_url)] = Field(
        "",
        description="The company's identity provider (OpenID Connect): its issuer, such as "
        "https://login.example.com/realms/staff. Empty: people log in with passwords of this installation only.",
    )
    oidc_client_id: str = Field("", description="What the identity provider calls this installation.")
    oidc_client_secret: str = Field(
        "",
        repr=False,
        json_schema_extra=SECRET,
        description="The secret that goes with it; empty for a public client.",
    )
    oidc_redirect_url: Annotated[str, AfterValidator(provider_url)] = Field(
        "",
        description="Where the identity provider sends browsers back to, as it is registered there: "
        "https://<this installation>/api/v1/auth/oidc/callback.",
    )
    oidc_scopes: str = Field("openid profile email", description="What it is asked for, with spaces between.")
    oidc_user_claim: str = Field(
        "preferred_username", description="Which of its claims is the person's name here, when they first come."
    )
    oidc_groups_claim: str = Field(
        "groups", description="Which of its claims has the person's groups; bind roles to `group:` and their names."
    )

    @field_validator("plain_cookies")
    @classmethod
    def _only_on_this_machine(cls, plain: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - as pydantic calls it
        listen, proxies = str(info.data.get("listen", "")), info.data.get("trusted_proxies")
        if plain and (proxies or not listen or not Listen.parse(listen).local):
            msg = "is only for a control plane that listens on this machine and has no proxies"
            raise ValueError(msg)
        return plain

    @field_validator("oidc_client_id", "oidc_redirect_url")
    @classmethod
    def _with_issuer(cls, text: str, info: ValidationInfo) -> str:
        if info.data.get("oidc_issuer") and not text:
            msg = "must be given together with TRIMTAB_OIDC_ISSUER"
            raise ValueError(msg)
        return text

    @property
    def lifetime(self) -> Lifetime:
        """How long sessions last."""
        return Lifetime(timedelta(seconds=self.session_idle), timedelta(seconds=self.session_lifetime))

    @property
    def providers(self) -> tuple[str, ...]:
        """The identity provider's address, which may be within the company."""
        return (self.oidc_issuer,) if self.oidc_issuer else ()

    @property
    def provider(self) -> Provider | None:
        """The identity provider, if there is one."""
        if not self.oidc_issuer:
            return None
        return Provider(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self.oidc_client_secret,
            redirect_url=self.oidc_redirect_url,
            scopes=tuple(self.oidc_scopes.split()),
            user_claim=self.oidc_user_claim,
            groups_claim=self.oidc_groups_claim,
        )

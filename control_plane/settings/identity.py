"""Who may call, and how they prove it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from control_plane.settings.checks import SECRET, token


class IdentitySettings(BaseModel):
    """Callers and their credentials."""

    bootstrap_token: Annotated[str, AfterValidator(token)] = Field(
        "",
        repr=False,
        json_schema_extra=SECRET,
        description="The bootstrap operator's token, kept as a hash at every start; it replaces the one before. "
        "Empty: whatever `trimtab operator-key` made.",
    )
    agent_enrolment: Literal["optional", "required"] = Field(
        "optional",
        description="Whether agents need a credential of their own, for which they show their token once: `required` makes "
        "a token that was copied of no use for anything but another enrolment, which is seen.",
    )
    access_token_lifetime: int = Field(
        900,
        ge=60,
        le=86_400,
        description="Seconds for which an access token is good that was given for an API key (`POST /oauth/token`).",
    )
    agent_credential_lifetime: int = Field(
        3_600,
        ge=60,
        le=86_400,
        description="Seconds for which an agent's own credential is good; agents renew it in time.",
    )
    broker_credential_lifetime: int = Field(
        300,
        ge=30,
        le=86_400,
        description="Seconds for which a credential is good with which an agent logs in at RabbitMQ; agents renew it in time.",
    )

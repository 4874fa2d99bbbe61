"""Who may call, and how they prove it."""

from typing import Annotated

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
    broker_credential_lifetime: int = Field(
        300,
        ge=30,
        le=86_400,
        description="Seconds for which a credential is good with which an agent logs in at RabbitMQ; agents renew it in time.",
    )

"""Who has the key-encryption key, where it is not this process: Vault's transit engine, or AWS's KMS."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field


def secure_url(text: str) -> str:
    """A URL to which secrets may be sent, or nothing: over TLS, or on this very machine."""
    parts = urlsplit(text)
    here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if text and (not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and here))):
        msg = "is no place for keys; give it as https://vault.example.com (http only on this machine)"
        raise ValueError(msg)
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = "is more than a URL; give it without user, query and fragment"
        raise ValueError(msg)
    return text.rstrip("/")


_Url = Annotated[str, AfterValidator(secure_url)]


class KeyKeeperSettings(BaseModel):
    """Keepers of keys."""

    encryption_by: Literal["local", "vault", "aws-kms"] = Field(
        "local",
        description="Who encrypts from now on: `local` (TRIMTAB_ENCRYPTION_KEY), `vault` (its transit engine) or "
        "`aws-kms`. The others decrypt what they encrypted, where they are set as well.",
    )
    vault_url: _Url = Field("", description="Vault or OpenBao: `https`, or on this machine.")
    vault_ca_file: str = Field(
        "", description="The certificates by which Vault's is checked. Empty: those of the machine."
    )
    vault_namespace: str = Field("", description="The namespace at Vault.")
    vault_auth: Literal["token", "approle", "kubernetes"] = Field("token", description="How to log in at Vault.")
    vault_auth_mount: str = Field("", description="Where that method is mounted at Vault. Empty: as it is called.")
    vault_token_file: str = Field(
        "", description="With `token`: the file that holds it. It is read again every minute, and prolonged."
    )
    vault_role_id: str = Field("", description="With `approle`: the role's id.")
    vault_secret_id_file: str = Field("", description="With `approle`: the file that holds the secret id.")
    vault_role: str = Field("", description="With `kubernetes`: the role's name at Vault.")
    vault_jwt_file: str = Field(
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        description="With `kubernetes`: the service account's token.",
    )
    vault_transit_mount: str = Field("transit", description="Where the transit engine is mounted at Vault.")
    vault_transit_key: str = Field(
        "trimtab", description="The transit key; several with commas between: the first encrypts, all decrypt."
    )
    aws_kms_key: str = Field(
        "",
        description="The key at KMS: an ARN, id or alias; several with commas between: the first encrypts, all decrypt.",
    )
    aws_region: str = Field("", description="The region of KMS. Empty: `$AWS_REGION`.")
    aws_kms_url: _Url = Field("", description="An endpoint of KMS other than the region's own.")

"""TLS of the API: our certificate, and whose certificates we ask clients for."""

import ssl
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from shared.runtime.tls import server_context


class TlsSettings(BaseModel):
    """Files are read again when they change; the next connection has the new ones."""

    tls_certificate_file: str = Field(
        "",
        description="The API's certificate with its chain, as PEM. With it the API speaks TLS, 1.2 at least, and nothing "
        "else. Empty: no TLS here; something in front of it has to speak it.",
    )
    tls_key_file: str = Field("", description="The certificate's private key, as PEM, not encrypted.")
    tls_client_ca_file: str = Field(
        "", description="Authorities whose certificates clients are asked for, as PEM. Empty: none are."
    )
    tls_client_certificates: Literal["optional", "agents", "required"] = Field(
        "optional",
        description="Who has to show one: nobody, agents, or everybody, health probes too. A certificate that names "
        "`trimtab://agent/<app>/<environment>[/<instance>]` goes with that agent's credential only.",
    )

    @field_validator("tls_key_file")
    @classmethod
    def _key_of_certificate(cls, text: str, info: ValidationInfo) -> str:
        if bool(text) != bool(info.data.get("tls_certificate_file")):
            msg = "goes together with TRIMTAB_TLS_CERTIFICATE_FILE"
            raise ValueError(msg)
        return text

    @field_validator("tls_client_ca_file")
    @classmethod
    def _over_tls(cls, text: str, info: ValidationInfo) -> str:
        if text and not info.data.get("tls_certificate_file"):
            msg = "needs TRIMTAB_TLS_CERTIFICATE_FILE: without TLS nobody shows a certificate"
            raise ValueError(msg)
        return text

    @field_validator("tls_client_certificates")
    @classmethod
    def _to_be_checked(cls, text: str, info: ValidationInfo) -> str:
        if text != "optional" and not info.data.get("tls_client_ca_file"):
            msg = "needs TRIMTAB_TLS_CLIENT_CA_FILE: nobody's certificate could be checked"
            raise ValueError(msg)
        return text

    def tls(self) -> ssl.SSLContext | None:
        """What the API listens with; None for plain HTTP.

        Raises:
            OSError, ssl.SSLError: the files cannot be used.
        """
        if not self.tls_certificate_file:
            return None
        authorities = Path(self.tls_client_ca_file) if self.tls_client_ca_file else None
        required = self.tls_client_certificates == "required"
        return server_context(Path(self.tls_certificate_file), Path(self.tls_key_file), authorities, required=required)

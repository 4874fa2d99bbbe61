"""The places of secrets that the settings allow, each opened when a config first refers to it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from yarl import URL

from agent.secrets.provider import Provider
from agent.settings.model import Settings
from shared.domain.secret_reference import Provider as Name
from shared.runtime.clock import Clock

if TYPE_CHECKING:
    from shared.runtime.keepers.asking import Asking


class SecretPlaces:
    """Gives out providers by name; none that was not allowed."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], clock: Clock) -> None:
        self._settings, self._environ, self._clock = settings, environ, clock
        self._opened: dict[str, Provider] = {}
        self._connections: list[Asking] = []

    def __call__(self, name: str) -> Provider | None:
        """The provider of this name; None if it is not allowed."""
        if name not in self._settings.secret_providers:
            return None
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    async def close(self) -> None:
        """Let go of all connections."""
        for each in self._connections:
            await each.close()

    def _open(self, name: str) -> Provider:
        # Most agents need none of these, and hardly any more than one.
        if name == Name.VAULT:
            return self._vault()
        if name == Name.AWS:
            return self._aws()
        from agent.secrets.local import FileSecrets, VariableSecrets  # noqa: PLC0415

        if name == Name.FILE:
            return FileSecrets(self._settings.secret_directories)
        return VariableSecrets(self._settings.secret_variables, self._environ)

    def _vault(self) -> Provider:
        from agent.secrets.vault import Vault  # noqa: PLC0415
        from shared.runtime.keepers.asking import Asking  # noqa: PLC0415
        from shared.runtime.keepers.vault_session import Login, VaultSession  # noqa: PLC0415

        told = self._settings
        credential = {"token": told.vault_token_file, "approle": told.vault_secret_id_file}.get(
            told.vault_auth, told.vault_jwt_file
        )
        role = told.vault_role_id if told.vault_auth == "approle" else told.vault_role
        asking = Asking(told.vault_ca_file)
        self._connections.append(asking)
        login = Login(told.vault_auth, told.vault_auth_mount, role, credential)
        return Vault(VaultSession(told.vault_url, login, asking, told.vault_namespace))

    def _aws(self) -> Provider:
        from agent.secrets.aws import SERVICE, SecretsManager  # noqa: PLC0415
        from shared.runtime.keepers.asking import Asking  # noqa: PLC0415
        from shared.runtime.keepers.aws_identity import AwsIdentity  # noqa: PLC0415
        from shared.runtime.keepers.aws_service import AwsService, endpoint  # noqa: PLC0415
        from shared.runtime.keepers.sigv4 import Signer  # noqa: PLC0415

        region = self._settings.aws_region or self._environ.get("AWS_REGION", "")
        region = region or self._environ.get("AWS_DEFAULT_REGION", "us-east-1")
        asking = Asking()
        self._connections.append(asking)
        sts = URL(self._environ.get("AWS_ENDPOINT_URL_STS") or endpoint("sts", region))
        identity = AwsIdentity(self._environ, asking, self._clock.now, sts)
        url = self._settings.aws_url or endpoint(SERVICE, region)
        return SecretsManager(AwsService(url, Signer(region, SERVICE), identity, asking, self._clock))

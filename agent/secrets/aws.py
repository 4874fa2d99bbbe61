"""AWS Secrets Manager."""

from collections.abc import Mapping

from agent.secrets.provider import Fetched
from shared.runtime.keepers.asking import SecretError
from shared.runtime.keepers.aws_service import AwsService

SERVICE = "secretsmanager"
_TARGET = "secretsmanager.GetSecretValue"


class SecretsManager:
    """The Secrets Manager of one region."""

    often = False

    def __init__(self, service: AwsService) -> None:
        self._service = service

    async def fetch(self, source: Mapping[str, str]) -> Fetched:
        asked = {"SecretId": source["id"]} | ({"VersionStage": source["stage"]} if "stage" in source else {})
        text = (await self._service.call(_TARGET, asked)).get("SecretString")
        if not isinstance(text, str):
            why = "it is no text (a binary secret); store it as a text"
            raise SecretError(why)
        return Fetched(text)

    async def renew(self, fetched: Fetched) -> Fetched:
        return fetched

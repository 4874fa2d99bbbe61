"""AWS Secrets Manager, by requests that the agent signs itself."""

import re
from collections.abc import Mapping

from yarl import URL

from agent.secrets.asking import Answer, Asking
from agent.secrets.aws_identity import AwsIdentity
from agent.secrets.provider import Fetched, SecretError
from agent.secrets.sigv4 import Signer
from shared.domain.codec import encode
from shared.runtime.clock import Clock

_TARGET = "secretsmanager.GetSecretValue"
_OK = 200
_ERROR = re.compile(r"[A-Za-z]{1,64}")
_STALE_IDENTITY = frozenset(
    {"ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredToken"}
)


def endpoint(service: str, region: str) -> str:
    """Where a service of a region is."""
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{service}.{region}.{domain}/"


class SecretsManager:
    """The Secrets Manager of one region, at `url`."""

    often = False

    def __init__(self, url: str, region: str, identity: AwsIdentity, asking: Asking, clock: Clock) -> None:
        self._url, self._identity, self._asking, self._clock = URL(url), identity, asking, clock
        self._signer = Signer(region, "secretsmanager")

    async def fetch(self, source: Mapping[str, str]) -> Fetched:
        asked = {"SecretId": source["id"]} | ({"VersionStage": source["stage"]} if "stage" in source else {})
        answer = await self._asked(encode(asked))
        text = answer.json().get("SecretString")
        if not isinstance(text, str):
            why = "it is no text (a binary secret); store it as a text"
            raise SecretError(why)
        return Fetched(text)

    async def renew(self, fetched: Fetched) -> Fetched:
        return fetched

    async def _asked(self, body: bytes) -> Answer:
        """Ask in our name; credentials that are refused may have been taken back, so once with others."""
        for last in (False, True):
            credentials = await self._identity.credentials()
            headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": _TARGET}
            signed = self._signer.headers(credentials, self._clock.now(), self._url, headers, body)
            answer = await self._asking.ask("POST", self._url, signed, body)
            if answer.status == _OK:
                return answer
            name = _error(answer)
            if name in _STALE_IDENTITY and not last:
                self._identity.forget()
                continue
            why = f"AWS answers {answer.status} {name}"
            raise SecretError(why)
        raise AssertionError  # pragma: no cover - the loop ends by itself


def _error(answer: Answer) -> str:
    """What AWS calls it; not what it says of it, which is about who we are."""
    try:
        name = str(answer.json().get("__type", "")).rpartition("#")[2]
    except SecretError:
        return ""
    return name if _ERROR.fullmatch(name) else ""

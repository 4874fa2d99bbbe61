"""A service of AWS that speaks JSON, by requests that we sign ourselves."""

import re

from yarl import URL

from shared.domain.codec import Json, encode
from shared.runtime.clock import Clock
from shared.runtime.keepers.asking import Answer, Asking, SecretError
from shared.runtime.keepers.aws_identity import AwsIdentity
from shared.runtime.keepers.sigv4 import Signer

_OK = 200
_ERROR = re.compile(r"[A-Za-z]{1,64}")
_STALE_IDENTITY = frozenset(
    {"ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredToken"}
)


class AwsRefusalError(SecretError):
    """AWS answered, but not with what it was asked for; `name` is what AWS calls that, as far as it can be told."""

    def __init__(self, status: int, name: str) -> None:
        super().__init__(f"AWS answers {status} {name}".rstrip())
        self.status, self.name = status, name


class AwsService:
    """The service of one region, at `url`."""

    def __init__(self, url: str, signer: Signer, identity: AwsIdentity, asking: Asking, clock: Clock) -> None:
        self._url, self._signer, self._identity, self._asking, self._clock = URL(url), signer, identity, asking, clock

    async def call(self, target: str, body: Json) -> Json:
        """The object that it answers with. Credentials that are refused may have been taken back: so once with others.

        Raises:
            AwsRefusalError: it refuses.
            SecretError: it cannot be reached, or we have no identity there.
        """
        content, headers = encode(body), {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
        for last in (False, True):
            credentials = await self._identity.credentials()
            signed = self._signer.headers(credentials, self._clock.now(), self._url, headers, content)
            answer = await self._asking.ask("POST", self._url, signed, content)
            if answer.status == _OK:
                return answer.json()
            name = _error(answer)
            if name in _STALE_IDENTITY and not last:
                self._identity.forget()
                continue
            raise AwsRefusalError(answer.status, name)
        raise AssertionError  # pragma: no cover - the loop ends by itself


def endpoint(service: str, region: str) -> str:
    """Where a service of a region is."""
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{service}.{region}.{domain}/"


def _error(answer: Answer) -> str:
    """What AWS calls it; not what it says of it, which is about who we are."""
    try:
        name = str(answer.json().get("__type", "")).rpartition("#")[2]
    except SecretError:
        return ""
    return name if _ERROR.fullmatch(name) else ""

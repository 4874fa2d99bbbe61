"""A KMS of one's own: moto's, which checks every signature and every policy once its users are made."""

import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import aiohttp
import anyio
from yarl import URL

from shared.domain.codec import decode, encode
from shared.runtime import child
from shared.runtime.clock import SystemClock
from shared.runtime.keepers.sigv4 import Credentials, Signer
from tests.servers.server import free_port, greets

REGION = "eu-north-1"
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}],
}
_PATIENCE = 10.0
_NOBODY = Credentials("AKIDNOBODY", "none")


@dataclass(frozen=True, slots=True)
class Kms:
    """Where it is, and who may encrypt and decrypt there. Nobody may do anything else, but for `make` and `forbid`."""

    url: str
    session: aiohttp.ClientSession
    environ: Mapping[str, str]

    async def make(self) -> str:
        """The ARN of a new key."""
        await self._guarded(on=False)
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.CreateKey"}
        made = decode(await self._post("kms", headers, b"{}"))
        await self._guarded(on=True)
        return str(made["KeyMetadata"]["Arn"])

    async def forbid(self) -> None:
        """From now on the user may do nothing either."""
        await self._guarded(on=False)
        await self._iam(Action="DeleteUserPolicy", UserName="trimtab", PolicyName="keys")
        await self._guarded(on=True)

    async def _iam(self, **form: str) -> ET.Element:
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        body = urlencode({"Version": "2010-05-08", **form}).encode()
        return ET.fromstring(await self._post("iam", headers, body))  # noqa: S314 - our own process says it

    async def _post(self, service: str, headers: Mapping[str, str], body: bytes) -> bytes:
        url = URL(self.url)
        signed = Signer(REGION, service).headers(_NOBODY, SystemClock().now(), url, headers, body)
        async with self.session.post(url, data=body, headers=signed) as answer:
            content = await answer.read()
            assert answer.status == 200, content
            return content

    async def _guarded(self, *, on: bool) -> None:
        async with self.session.post(f"{self.url}moto-api/reset-auth", data=b"0" if on else b"1e9") as answer:
            assert answer.status == 200


@contextmanager
def kms_server(directory: Path) -> Iterator[str]:
    """The URL of a KMS that is there until the block ends."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (directory / "kms.log").open("ab") as log:
        process = child.spawn(command, log=log)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        child.stop(process, signal.SIGTERM, _PATIENCE)


@asynccontextmanager
async def opened_kms(url: str) -> AsyncIterator[Kms]:
    """That KMS with nothing in it but a user."""
    async with aiohttp.ClientSession() as session:
        kms = Kms(url, session, {})
        with anyio.fail_after(60):
            while not await greets(URL(url).port or 0, b"GET /moto-api/data.json HTTP/1.0\r\n\r\n", b"HTTP/1."):
                await anyio.sleep(0.02)
        await kms._guarded(on=False)
        async with session.post(f"{url}moto-api/reset") as answer:
            assert answer.status == 200
        yield Kms(url, session, await _user(kms))


async def _user(kms: Kms) -> Mapping[str, str]:
    """The variables of somebody who may encrypt and decrypt."""
    await kms._iam(Action="CreateUser", UserName="trimtab")
    policy = encode(_POLICY).decode()
    await kms._iam(Action="PutUserPolicy", UserName="trimtab", PolicyName="keys", PolicyDocument=policy)
    made = await kms._iam(Action="CreateAccessKey", UserName="trimtab")
    found = {each.tag.rpartition("}")[2]: each.text or "" for each in made.iter()}
    await kms._guarded(on=True)
    return {
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_REGION": REGION,
    }

"""Who this process is for AWS: keys in its variables, a web identity (IAM roles for service accounts), or the machine's role."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from yarl import URL

from shared.runtime.keepers.asking import Answer, Asking, SecretError
from shared.runtime.keepers.sigv4 import Credentials

METADATA = "http://169.254.169.254"
_ROLES = "latest/meta-data/iam/security-credentials/"
_ROLE = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")
_EARLY = 300.0
"""Seconds before their end at which other credentials are asked for."""
_SESSION = "trimtab"
_OK = 200
_MAX_TOKEN = 64 * 1024


class AwsIdentity:
    """The first of the three that it was given, as AWS's own clients look for them."""

    def __init__(self, environ: Mapping[str, str], asking: Asking, now: Callable[[], datetime], sts: URL) -> None:
        self._environ, self._asking, self._now, self._sts = environ, asking, now, sts
        self._known: Credentials | None = None
        self._turn = anyio.Lock()

    async def credentials(self) -> Credentials:
        """What signs now.

        Raises:
            SecretError: it has no identity there, or cannot be given credentials now.
        """
        async with self._turn:
            if self._known is None or self._now().timestamp() >= self._known.expires - _EARLY:
                self._known = await self._found()
            return self._known

    def forget(self) -> None:
        """They were refused: ask for others."""
        self._known = None

    async def _found(self) -> Credentials:
        environ = self._environ
        if "AWS_ACCESS_KEY_ID" in environ and "AWS_SECRET_ACCESS_KEY" in environ:
            token = environ.get("AWS_SESSION_TOKEN", "")
            return Credentials(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], token)
        if "AWS_WEB_IDENTITY_TOKEN_FILE" in environ and "AWS_ROLE_ARN" in environ:
            return await self._of_web_identity(Path(environ["AWS_WEB_IDENTITY_TOKEN_FILE"]), environ["AWS_ROLE_ARN"])
        return await self._of_machine()

    async def _of_web_identity(self, path: Path, role: str) -> Credentials:
        token = await anyio.to_thread.run_sync(_read, path)
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role,
            "RoleSessionName": self._environ.get("AWS_ROLE_SESSION_NAME", _SESSION),
            "WebIdentityToken": token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        answer = await self._asking.ask("POST", self._sts, headers, urlencode(form).encode())
        if answer.status != _OK:
            why = f"AWS does not take our web identity ({answer.status})"
            raise SecretError(why)
        return _of_xml(answer)

    async def _of_machine(self) -> Credentials:
        """The role of the virtual machine, by a session that no request forged through a proxy could open (IMDSv2)."""
        base = URL(self._environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", METADATA))
        opened = await self._asking.ask(
            "PUT", base.joinpath("latest", "api", "token"), {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
        )
        headers = {"X-aws-ec2-metadata-token": _word(opened)}
        roles = await self._asking.ask("GET", base.join(URL(_ROLES)), headers)
        role = _word(roles)
        if not _ROLE.fullmatch(role):
            why = "this machine has no role at AWS"
            raise SecretError(why)
        answer = await self._asking.ask("GET", base.join(URL(_ROLES)).joinpath(role), headers)
        found = answer.json()
        return _credentials(*(found.get(each) for each in ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")))


def _word(answer: Answer) -> str:
    if answer.status != _OK:
        why = f"this machine's metadata service answers {answer.status}"
        raise SecretError(why)
    try:
        return answer.body.decode("ascii").strip()
    except UnicodeDecodeError as error:
        why = "this machine's metadata service answers nonsense"
        raise SecretError(why) from error


def _of_xml(answer: Answer) -> Credentials:
    """The four texts of the answer: no parser of XML with all that it may be made to do."""
    text = answer.body.decode(errors="replace")
    found = []
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"):
        match = re.search(rf"<{name}>([^<&]{{1,8192}})</{name}>", text)
        found.append(match.group(1) if match else None)
    return _credentials(*found)


def _credentials(key_id: object, secret: object, token: object, expires: object) -> Credentials:
    if not (
        isinstance(key_id, str) and isinstance(secret, str) and isinstance(token, str) and isinstance(expires, str)
    ):
        why = "AWS's answer holds no credentials"
        raise SecretError(why)
    try:
        until = datetime.fromisoformat(expires)
    except ValueError as error:
        why = "AWS's credentials do not say until when they are good"
        raise SecretError(why) from error
    return Credentials(key_id, secret, token, until.timestamp())


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_TOKEN).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = f"our web identity, {path}, cannot be read"
        raise SecretError(why) from error

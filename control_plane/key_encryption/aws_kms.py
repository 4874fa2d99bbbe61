"""A key-encryption key in AWS's Key Management Service (port `KeyEncryption`): it never leaves there.

What a key belongs to is KMS's encryption context: it opens under the same only, and is in CloudTrail's record of each use.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping

from control_plane.domain.errors import KeyLostError, UnavailableError
from control_plane.domain.keys import WrappedKey
from control_plane.key_encryption.ring import DEPENDENCY
from shared.domain.codec import Json
from shared.runtime.keepers.asking import SecretError
from shared.runtime.keepers.aws_service import AwsRefusalError, AwsService

SERVICE = "kms"
_ENCRYPT, _DECRYPT = "TrentService.Encrypt", "TrentService.Decrypt"
_PREFIX = "aws-kms:"
_ALTERED = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_GONE = frozenset({"NotFoundException"})
_RETRY_AFTER = 5
_NONSENSE = "its answer is not one of KMS"


class AwsKms:
    """The key of this ARN, id or alias. We call it by its ARN, which KMS tells: an alias can be moved."""

    def __init__(self, service: AwsService, key: str) -> None:
        self._service, self._key, self._arn = service, key, ""

    @property
    def id(self) -> str:
        return _PREFIX + self._arn

    def known(self, name: str) -> bool:
        return bool(self._arn) and name == self.id

    async def look(self) -> None:
        await self.wrap(b"trimtab", b"look")

    async def wrap(self, key: bytes, context: bytes) -> WrappedKey:
        asked = {"KeyId": self._key, "Plaintext": b64encode(key).decode(), "EncryptionContext": _named(context)}
        try:
            told = await self._service.call(_ENCRYPT, asked)
        except SecretError as error:
            raise self._away(error) from error
        blob, arn = _decoded(told.get("CiphertextBlob")), told.get("KeyId")
        if not blob or not isinstance(arn, str):
            raise self._away(_NONSENSE)
        self._arn = arn
        return WrappedKey(self.id, blob)

    async def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        asked = {
            "KeyId": wrapped.encrypted_by.removeprefix(_PREFIX),
            "CiphertextBlob": b64encode(wrapped.blob).decode(),
            "EncryptionContext": _named(context),
        }
        try:
            told = await self._service.call(_DECRYPT, asked)
        except AwsRefusalError as error:
            if error.name in _ALTERED | _GONE:
                raise KeyLostError(wrapped.encrypted_by, altered=error.name in _ALTERED) from error
            raise self._away(error) from error
        except SecretError as error:
            raise self._away(error) from error
        plain = _decoded(told.get("Plaintext"))
        if not plain:
            raise self._away(_NONSENSE)
        return plain

    def _away(self, why: object) -> UnavailableError:
        return UnavailableError(DEPENDENCY, f"{self._key} cannot be used: {why}", _RETRY_AFTER)


def _named(context: bytes) -> Mapping[str, str]:
    """The context as CloudTrail shows it: readable, and another for every other context."""
    return {"trimtab": context.decode("ascii", errors="backslashreplace").replace("\0", " "), "exact": context.hex()}


def _decoded(text: Json) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (TypeError, ValueError):
        return b""

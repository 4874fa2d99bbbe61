"""The control plane's keys as we know them: given by the settings, or kept since we first asked."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.snapshot.durable import replace
from shared.domain.codec import Json, MalformedJsonError, decode, encode
from shared.wire.signature import KEY_BYTES, MAX_KID, About, Signature, decoded, encoded, signed_bytes

MAX_KEYS = 16
_FILE = "signing-keys.json"

_log = logging.getLogger(__name__)


class Keyring:
    """Keys by their ids. Without any, nothing can be verified; with some, nothing else is believed.

    `given` are those of the settings: what was kept of a time before them does not count.
    """

    def __init__(self, directory: Path, given: Mapping[str, bytes] | None = None) -> None:
        self._path = directory / _FILE
        self._given = dict(given or {})
        self._keys = self._given | self._kept()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._keys)

    def knows(self, kid: str) -> bool:
        """Whether it is one of them."""
        return kid in self._keys

    def good(self, about: About, place: str, body: bytes, signature: Signature) -> bool:
        """Whether one of these keys signed this."""
        key = self._keys.get(signature.kid)
        if key is None:
            return False
        from agent.trust.verifying import is_good  # noqa: PLC0415 - who knows no keys does not pay for it

        return is_good(key, signature.raw, signed_bytes(about, place, body))

    def learn(self, body: bytes, signatures: Iterable[Signature]) -> bool:
        """Take a list of keys instead of ours: the first ever, or one that a key which we know has signed; whether so."""
        keys = keys_in(body)
        if not keys:
            return False
        if self._keys and not any(self.good(About.KEYS, "", body, each) for each in signatures):
            return False
        if keys != self._keys:
            self._keys = keys
            self._keep()
            _log.info("the control plane's keys", extra={"kids": sorted(keys)})
        return True

    def _kept(self) -> dict[str, bytes]:
        try:
            document = decode(self._path.read_bytes())
            given = {str(kid): decoded(str(key), KEY_BYTES) for kid, key in document["given"].items()}
            return _read_keys(document["keys"]) if given == self._given else {}
        except FileNotFoundError:
            return {}
        except (OSError, MalformedJsonError, LookupError, TypeError, ValueError, AttributeError) as error:
            _log.warning("the kept keys of the control plane cannot be read", extra={"error": type(error).__name__})
            return {}

    def _keep(self) -> None:
        document = {
            "given": _shown(self._given),
            "keys": [{"kid": k, "key": encoded(v)} for k, v in self._keys.items()],
        }
        try:
            replace(self._path, encode(document))
        except OSError as error:
            _log.warning("the control plane's keys cannot be kept", extra={"error": error.strerror})


def keys_in(body: bytes) -> dict[str, bytes]:
    """The keys in a list of them; none if it cannot be read."""
    try:
        return _read_keys(decode(body)["keys"])
    except (MalformedJsonError, LookupError, TypeError, ValueError, AttributeError):
        return {}


def _read_keys(document: Json) -> dict[str, bytes]:
    keys = {str(each["kid"]): decoded(str(each["key"]), KEY_BYTES) for each in document}
    if len(keys) > MAX_KEYS or any(len(kid) > MAX_KID for kid in keys):
        msg = "too many keys"
        raise ValueError(msg)
    return keys


def _shown(keys: Mapping[str, bytes]) -> dict[str, str]:
    return {kid: encoded(key) for kid, key in keys.items()}

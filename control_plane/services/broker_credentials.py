"""Credentials with which agents log in at the broker: short-lived, signed, verified by the broker alone.

The broker asks nobody when an agent connects. It fetches our public keys once, and reads in the credential itself what
its bearer may do. So a broker and its agents go on without us, and there is no place where passwords can be tried.
"""

from base64 import urlsafe_b64encode

from control_plane.domain.broker import BrokerCredential, BrokerIdentity, claims_of
from control_plane.domain.keys import Purpose
from control_plane.services.keys.signing import SigningKeys
from shared.domain.codec import Json, encode
from shared.runtime.clock import Clock


class BrokerCredentials:
    """Issues them. `vhost` None: there is no broker, so nobody gets any; `lifetime` is in seconds."""

    def __init__(self, keys: SigningKeys, vhost: str | None, lifetime: int, clock: Clock) -> None:
        self._keys, self._vhost, self._lifetime, self._clock = keys, vhost, lifetime, clock

    def issue(self, app_id: str, environment: str, instance: str) -> BrokerCredential | None:
        """A credential for one agent; None without a broker."""
        if self._vhost is None:
            return None
        identity = BrokerIdentity(app_id, environment, instance)
        now = int(self._clock.now().timestamp())
        key = self._keys.current(Purpose.BROKER)
        head = {"alg": "EdDSA", "typ": "JWT", "kid": key.kid}
        signed = b".".join(
            _text(encode(each)) for each in (head, claims_of(identity, self._vhost, now, self._lifetime))
        )
        token = signed + b"." + _text(key.private.sign(signed))
        return BrokerCredential(identity.name, token.decode(), self._lifetime)

    def key_set(self) -> Json:
        """The public keys that the broker verifies with, as a JSON Web Key Set."""
        return {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "alg": "EdDSA",
                    "use": "sig",
                    "kid": each.kid,
                    "x": _text(each.raw).decode(),
                }
                for each in self._keys.public(Purpose.BROKER)
            ]
        }


def _text(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")

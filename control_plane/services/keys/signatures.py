"""Signs what agents hear and fetch, and verifies what lay where others could write."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from control_plane.domain.keys import Purpose
from control_plane.services.keys.signing import SigningKeys
from shared.domain.codec import encode
from shared.wire.signature import MAX_SIGNATURES, About, Signature, encoded, signed_bytes


class Signatures:
    """With the installation's keys for messages."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    @property
    def kid(self) -> str:
        """The key that signs now."""
        return self._keys.current(Purpose.MESSAGES).kid

    def sign(self, about: About, place: str, body: bytes) -> Signature:
        """With the key that signs now."""
        key = self._keys.current(Purpose.MESSAGES)
        return Signature(key.kid, key.private.sign(signed_bytes(about, place, body)))

    def message(self, routing_key: str, body: bytes) -> Signature:
        """Of a message that travels under this routing key."""
        return self.sign(About.MESSAGE, routing_key, body)

    def good(self, about: About, place: str, body: bytes, signature: Signature) -> bool:
        """Whether one of our keys made it."""
        for each in self._keys.public(Purpose.MESSAGES):
            if each.kid == signature.kid:
                try:
                    Ed25519PublicKey.from_public_bytes(each.raw).verify(signature.raw, signed_bytes(about, place, body))
                except InvalidSignature:
                    return False
                return True
        return False

    def key_list(self) -> tuple[bytes, str]:
        """The keys whose signatures are good, and the list signed by each that is kept: whoever trusts one learns the rest.

        A key that has leaked signs it as well. Whoever has it could do so too, and agents that trust it learn that it is over.
        """
        keys = self._keys.public(Purpose.MESSAGES)
        body = encode({"keys": [{"kid": each.kid, "key": encoded(each.raw)} for each in keys]})
        signed = signed_bytes(About.KEYS, "", body)
        signers = self._keys.known(Purpose.MESSAGES)[-MAX_SIGNATURES:]
        return body, ", ".join(str(Signature(each.kid, each.private.sign(signed))) for each in signers)

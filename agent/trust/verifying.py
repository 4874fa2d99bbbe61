"""Ed25519, verified. Imported only by an agent that knows keys: libsodium costs a megabyte, OpenSSL's binding eight."""

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError


def is_good(key: bytes, signature: bytes, signed: bytes) -> bool:
    """Whether this key made this signature of these bytes."""
    try:
        crypto_sign_open(signature + signed, key)
    except BadSignatureError:
        return False
    return True

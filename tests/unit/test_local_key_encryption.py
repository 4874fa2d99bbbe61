"""A key-encryption key of the settings: what it refuses to be, and what it opens."""

from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.errors import KeyLostError
from control_plane.key_encryption.local import LocalKeyEncryption, WeakKeyError, new_key, read_key

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "changeme" * 4,
        b64encode(bytes(31)).decode(),
        b64encode(bytes(32)).decode(),
        b64encode(b"\xff" * 32).decode(),
        b64encode(b"abcdefghijklmnopqrstuvwxyz012345").decode(),
        b64encode(bytes(range(8)) * 4).decode(),
        b64encode(bytes(range(32))).decode() + "\n\n=",
    ],
)
def test_what_is_no_key_or_can_be_guessed_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(WeakKeyError, match="trimtab keys generate") as caught:
        read_key(text)
    assert not text or text not in str(caught.value)


def test_new_keys_are_taken() -> None:
    assert len({read_key(new_key()) for _ in range(1_000)}) == 1_000


@given(st.binary(max_size=64), st.binary(max_size=64))
async def test_what_was_wrapped_opens_in_its_context_and_in_no_other(key: bytes, context: bytes) -> None:
    encryption = LocalKeyEncryption.parse(new_key())
    wrapped = await encryption.wrap(key, context)
    assert await encryption.unwrap(wrapped, context) == key
    with pytest.raises(KeyLostError, match="altered"):
        await encryption.unwrap(wrapped, context + b"x")


@given(st.integers(0, 43), st.integers(1, 255))
async def test_a_wrapped_key_with_one_byte_altered_does_not_open(place: int, difference: int) -> None:
    encryption = LocalKeyEncryption.parse(new_key())
    wrapped = await encryption.wrap(bytes(16), b"")
    blob = bytearray(wrapped.blob)
    blob[place] ^= difference
    with pytest.raises(KeyLostError):
        await encryption.unwrap(replace(wrapped, blob=bytes(blob)), b"")
    with pytest.raises(KeyLostError):
        await encryption.unwrap(replace(wrapped, blob=wrapped.blob[:place]), b"")


async def test_the_first_key_encrypts_and_all_decrypt() -> None:
    old, new = new_key(), new_key()
    before, after = LocalKeyEncryption.parse(old), LocalKeyEncryption.parse(f"{new}, {old}")
    wrapped = await before.wrap(b"data key", b"here")
    assert await after.unwrap(wrapped, b"here") == b"data key"
    assert (await after.wrap(b"", b"")).encrypted_by == after.id != before.id
    with pytest.raises(KeyLostError, match=before.id):
        await LocalKeyEncryption.parse(new).unwrap(wrapped, b"here")

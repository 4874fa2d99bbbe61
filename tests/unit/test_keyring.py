"""The agent's keys: what is learned from whom, and that nothing made up passes for signed."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.trust.keyring import Keyring, keys_in
from shared.domain.codec import encode
from shared.wire.signature import About, Signature, encoded, signature_in, signatures_in, signed_bytes

OLD, NEW, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
NAMES = {"old": OLD, "new": NEW, "stranger": STRANGER}
BODY = b'{"schema":1}'


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def listed(*names: str) -> bytes:
    return encode({"keys": [{"kid": each, "key": encoded(raw(NAMES[each]))} for each in names]})


def sign(name: str, about: About, place: str, body: bytes) -> Signature:
    return Signature(name, NAMES[name].sign(signed_bytes(about, place, body)))


def keys_signed(body: bytes, *names: str) -> list[Signature]:
    return [sign(each, About.KEYS, "", body) for each in names]


def test_the_first_list_is_taken_and_kept(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    assert not keyring
    assert keyring.learn(listed("old"), [])
    again = Keyring(tmp_path)
    assert again.good(About.MESSAGE, "global", BODY, sign("old", About.MESSAGE, "global", BODY))
    assert (tmp_path / "signing-keys.json").stat().st_mode & 0o777 == 0o600


def test_a_later_list_is_taken_from_whom_we_know_only(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.learn(listed("old"), [])
    both = listed("old", "new")
    for signatures in ([], keys_signed(both, "stranger"), keys_signed(listed("old"), "old"), keys_signed(both, "new")):
        assert not keyring.learn(both, signatures)
        assert not keyring.knows("new")
    assert keyring.learn(both, keys_signed(both, "new", "old"))
    assert keyring.learn(listed("new"), keys_signed(listed("new"), "new"))
    assert not keyring.knows("old")


def test_keys_of_the_settings_count_more_than_kept_ones(tmp_path: Path) -> None:
    Keyring(tmp_path).learn(listed("stranger"), [])
    keyring = Keyring(tmp_path, {"old": raw(OLD)})
    assert keyring.knows("old")
    assert not keyring.knows("stranger")
    both = listed("old", "new")
    assert keyring.learn(both, keys_signed(both, "old"))
    assert Keyring(tmp_path, {"old": raw(OLD)}).knows("new")
    assert not Keyring(tmp_path, {"new": raw(NEW)}).knows("old")


def test_a_damaged_file_of_keys_is_no_keys(tmp_path: Path) -> None:
    (tmp_path / "signing-keys.json").write_bytes(b"{")
    assert not Keyring(tmp_path)


@given(st.sampled_from(list(About)), st.text(max_size=30), st.binary(max_size=60), st.data())
def test_a_signature_is_good_for_nothing_else(about: About, place: str, body: bytes, data: st.DataObject) -> None:
    keyring = Keyring(Path("/nowhere"), {"old": raw(OLD)})
    place = place.replace("\0", "")
    signature = sign("old", about, place, body)
    assert keyring.good(about, place, body, signature)
    other = data.draw(st.sampled_from(list(About)).filter(lambda each: each is not about))
    assert not keyring.good(other, place, body, signature)
    assert not keyring.good(about, place + "x", body, signature)
    assert not keyring.good(about, place, body + b"\0", signature)
    at = data.draw(st.integers(0, 63))
    bent = bytearray(signature.raw)
    bent[at] ^= data.draw(st.integers(1, 255))
    assert not keyring.good(about, place, body, Signature("old", bytes(bent)))
    assert not keyring.good(about, place, body, Signature("new", signature.raw))


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_passes_for_a_signature_or_breaks_its_reader(kid: str, text: str) -> None:
    keyring = Keyring(Path("/nowhere"), {"old": raw(OLD)})
    for each in [
        signature_in(kid, text),
        signature_in("old", text),
        *signatures_in(text),
        *signatures_in(f"old:{text}"),
    ]:
        assert each is None or not keyring.good(About.MESSAGE, "global", BODY, each)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader_of_a_list_of_keys(body: bytes) -> None:
    assert keys_in(body) == {}


def test_a_signature_is_read_as_it_was_written() -> None:
    made = sign("old", About.KEYS, "", BODY)
    assert Signature.parse(str(made)) == made
    assert signatures_in(f"nonsense, {made}, {made}") == [made, made]

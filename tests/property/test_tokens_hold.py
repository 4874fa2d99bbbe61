"""Tokens, given garbage, damaged good ones, and claims of all kinds under good signatures: none is taken for what it is not.

Some thousands of inputs by default; `TRIMTAB_TEST_FUZZ=all` tries some hundred thousand. The end of the run says how many.
"""

import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from random import Random
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from control_plane.domain.access.certificate import agrees
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import agent_of, holder
from control_plane.domain.access.reach import Reach
from control_plane.domain.access.role import Role
from control_plane.domain.errors import LoginFailedError
from control_plane.domain.keys import Purpose
from control_plane.domain.people.provider import Provider, identified, return_path
from control_plane.domain.people.session import csrf_token, is_csrf_token
from control_plane.domain.people.user import is_user_name
from control_plane.key_encryption.local import LocalKeyEncryption, new_key
from control_plane.outside.oidc.keys import KeySet
from control_plane.outside.oidc.tokens import require_of_login, verify
from control_plane.services.identity.access_tokens import AccessTokens
from control_plane.services.identity.revoking import Revoking
from control_plane.services.keys.signing import SigningKey, SigningKeys
from shared.domain.codec import Json, decode, encode
from shared.domain.scope import is_name
from shared.runtime.clock import SystemClock
from shared.wire.signature import Signature, signatures_in
from tests.fakes.signing_keys import FakeRevocations, FakeSigningKeys
from tests.rig import hostile
from tests.rig.damage import damaged, documents, try_all
from tests.store import OLGA

ALL = os.environ.get("TRIMTAB_TEST_FUZZ") == "all"
EXAMPLES = 1_000 if ALL else 12
CLOCK = SystemClock()

pytestmark = pytest.mark.timeout(1_800 if ALL else 60)
often = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**63)


@pytest.fixture(scope="module")
def keys() -> SigningKeys:
    """Two generations that are trusted, the first of which signs."""
    made = SigningKeys(FakeSigningKeys(), LocalKeyEncryption.parse(new_key()), CLOCK, OLGA)
    anyio.run(made.load)
    anyio.run(made.rotate, Purpose.TOKENS, OLGA)
    return made


@pytest.fixture
def tokens(keys: SigningKeys) -> AccessTokens:
    return AccessTokens(keys, Revoking(FakeRevocations(CLOCK)), CLOCK)


def segment(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(key: SigningKey, head: bytes, claims: bytes) -> str:
    """A token whose signature is good, whatever it says."""
    text = f"{segment(head)}.{segment(claims)}"
    return f"{text}.{segment(key.private.sign(text.encode()))}"


def claims_now() -> dict[str, Json]:
    now = int(CLOCK.now().timestamp())
    return {
        "iss": "trimtab",
        "aud": "trimtab-api",
        "sub": "agent:1",
        "jti": "x",
        "cred": "y",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "kind": "agent",
        "app_id": "shop",
        "environment": "prod",
        "instance": "one",
    }


def is_ours(claims: Json, now: float) -> bool:
    """What every token of ours says, told apart from the code that reads them."""
    texts = ("sub", "jti", "cred")
    return (
        isinstance(claims, dict)
        and claims.get("iss") == "trimtab"
        and claims.get("aud") in ("trimtab-api", ["trimtab-api"])
        and all(isinstance(claims.get(name), str) for name in texts)
        and claims["exp"] > now - 5
        and claims["nbf"] < now + 10
    )


@often
@given(seeds)
def test_access_tokens_are_as_they_were_issued_or_none(counted: list[int], tokens: AccessTokens, seed: int) -> None:
    for principal in (agent_of("shop", "prod", "agent:1", instance="one"), holder("ci", Role.VIEWER)):
        good = tokens.issue_for(principal, timedelta(minutes=10), "credential").token
        told = tokens.told(good)
        assert told is not None

        def read(raw: bytes, good: str = good, expected: Any = told) -> bool:
            token = raw.decode(errors="surrogateescape")
            if not token.isascii() or not tokens.takes(token):
                return False
            found = tokens.told(token)
            assert found is None or (token.rstrip("=") == good and found == expected)
            return found is not None

        assert read(good.encode())
        try_all(counted, damaged(good.encode(), seed), read)


@often
@given(seeds)
def test_what_a_good_signature_covers_must_be_ours_in_every_respect(
    counted: list[int], keys: SigningKeys, tokens: AccessTokens, seed: int
) -> None:
    key, now = keys.current(Purpose.TOKENS), CLOCK.now().timestamp()
    head: Json = {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid}
    person = claims_now() | {
        "kind": "user",
        "groups": ["a"],
        "grants": [
            {"role": "viewer", "reach": "shop/prod", "source": "s"},
            {"role": "own", "reach": "global", "source": "s", "permissions": ["configs.read"]},
        ],
    }

    def read(parts: tuple[bytes, bytes]) -> bool:
        token = signed(key, *parts)
        told = tokens.told(token) if tokens.takes(token) else None
        if told is None:
            return False
        said, about = decode(parts[0]), decode(parts[1])
        assert (said["alg"], said["typ"], said["kid"]) == ("EdDSA", "at+jwt", key.kid)
        assert "crit" not in said
        assert is_ours(about, now), about
        assert told.principal.id == about["sub"]
        assert told.principal.expires_at is not None
        assert all(each.permissions <= frozenset(Permission) for each in told.principal.grants)
        return True

    for claims in (claims_now(), person):
        good = (encode(head), encode(claims))
        assert read(good)
        try_all(counted, ((good[0], encode(each)) for each in documents(claims, seed)), read)
        try_all(counted, ((encode(each), good[1]) for each in documents(head, seed)), read)
        try_all(counted, ((good[0], each) for each in damaged(good[1], seed)), lambda each: quietly(read, each))
        try_all(counted, ((each, good[1]) for each in damaged(good[0], seed)), lambda each: quietly(read, each))


def quietly(read: Any, parts: tuple[bytes, bytes]) -> bool:
    """Read what may be JSON to Python and not to us, such as NaN: that is no reason to take it."""
    with suppress(ValueError):
        return bool(read(parts))
    return False


@often
@given(seeds)
def test_no_signature_by_anything_else_is_taken(
    counted: list[int], keys: SigningKeys, tokens: AccessTokens, seed: int
) -> None:
    random, kids = Random(seed), [each.kid for each in keys.public(Purpose.TOKENS)]  # noqa: S311 - to be repeated
    public = [each.raw for each in keys.public(Purpose.TOKENS)]
    stranger = Ed25519PrivateKey.generate()
    others = [keys.current(Purpose.MESSAGES).private, keys.current(Purpose.BROKER).private, stranger]
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": segment(stranger.public_key().public_bytes_raw())}

    def forged() -> Iterator[str]:
        for kid in (*kids, "nobody", "", "../../etc/passwd", "' or 1=1"):
            head = {"kid": kid, "typ": "at+jwt"}
            for private in others:
                more = {"jwk": jwk, "jku": "https://evil.example/keys", "x5u": "file:///etc/passwd"}
                yield jwt.encode(claims_now(), private, "EdDSA", head | random.choice([{}, more]))
            for raw in public:
                for secret in (raw, segment(raw).encode(), raw.hex().encode()):
                    yield jwt.encode(claims_now(), secret, "HS256", head)
            for algorithm in ("none", "None", "NONE", "", "EdDSA", "ES256"):
                text = f"{segment(encode(head | {'alg': algorithm}))}.{segment(encode(claims_now()))}"
                yield f"{text}."
                yield f"{text}.{segment(random.randbytes(64))}"
                yield f"{text}.{segment(bytes(64))}"

    def read(token: str) -> bool:
        assert tokens.told(token) is None, token
        return False

    try_all(counted, forged(), read)
    for private in others[:2]:  # tokens for the broker are no tokens for us, however they call themselves
        read(jwt.encode(claims_now(), private, "EdDSA", {"kid": kids[0], "typ": "JWT"}))


def test_nothing_of_the_corpus_is_a_token(counted: list[int], tokens: AccessTokens) -> None:
    good = claims_now()
    for text in hostile.texts().values():
        for each in (text, f"{text}.{text}.{text}", f"a.{text}.b", segment(text.encode()) + ".e30.e30"):
            if each.isascii():
                counted[0] += 1
                assert not tokens.takes(each)
                assert tokens.told(each) is None
        for name in good:
            claims = segment(encode(good | {name: text}))
            counted[0] += 1
            assert (
                tokens.told(f"{segment(encode({'alg': 'EdDSA', 'typ': 'at+jwt', 'kid': text}))}.{claims}.AAAA") is None
            )


ISSUER, CLIENT = "https://login.example", "trimtab"
_RSA = rsa.generate_private_key(65537, 2048)
_EC = ec.generate_private_key(ec.SECP256R1())


def key_set() -> KeySet:
    published = decode(RSAAlgorithm.to_jwk(_RSA.public_key()).encode()) | {"kid": "one", "use": "sig"}

    async def fetch() -> dict[str, Json]:
        return {"keys": [published, {"kty": "oct", "kid": "two", "k": "c2VjcmV0"}, {"kty": "OKP", "kid": "three"}, 7]}

    return KeySet(fetch, CLOCK)


def word(**claims: Json) -> dict[str, Json]:
    now = int(CLOCK.now().timestamp())
    return {
        "iss": ISSUER,
        "aud": CLIENT,
        "sub": "248",
        "iat": now,
        "exp": now + 60,
        "nonce": "n",
        "email": "anna@example.com",
        "groups": ["ops"],
        **claims,
    }


async def login_of(token: str, known: KeySet) -> dict[str, Any] | None:
    """The claims that let somebody in, or none."""
    try:
        claims = await verify(token, known, issuer=ISSUER, client_id=CLIENT, required=["sub", "exp"])
        require_of_login(claims, "n", "access", "RS256")
        who = identified(Provider(ISSUER, CLIENT, "", "", (), "email", "groups"), claims, {})
    except LoginFailedError:
        return None
    assert is_user_name(who.name)
    assert all(isinstance(each, str) and each.isprintable() for each in who.groups)
    return claims


@often
@given(seeds)
async def test_an_identity_provider_s_words_let_in_only_whom_it_named(counted: list[int], seed: int) -> None:
    known = key_set()
    good = jwt.encode(word(), _RSA, "RS256", {"kid": "one"})
    assert await login_of(good, known) is not None
    for each in damaged(good.encode(), seed):
        counted[0] += 1
        text = each.decode(errors="surrogateescape")
        if await login_of(text, known) is not None:
            assert text.rstrip("=") == good
            counted[1] += 1
    for claims in documents(word(), seed):
        if not isinstance(claims, dict):
            continue
        counted[0] += 1
        with suppress(TypeError):  # of the library, which signs not everything
            if (said := await login_of(jwt.encode(claims, _RSA, "RS256", {"kid": "one"}), known)) is not None:
                counted[1] += 1
                assert (said["iss"], said["nonce"]) == (ISSUER, "n")
                assert CLIENT in (said["aud"] if isinstance(said["aud"], list) else [said["aud"]])
                assert said["exp"] > CLOCK.now().timestamp() - 61


async def test_an_identity_provider_s_key_signs_in_its_own_way_only(counted: list[int]) -> None:
    known = key_set()
    pem = _RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = f"{segment(encode({'alg': 'HS256', 'kid': 'one'}))}.{segment(encode(word()))}"
    by_public_key = f"{text}.{segment(_hmac(pem, text))}"
    forged = [
        by_public_key,
        jwt.encode(word(), "secret" * 8, "HS256", {"kid": "two"}),
        jwt.encode(word(), None, "none", {"kid": "one"}),
        jwt.encode(word(), _EC, "ES256", {"kid": "one"}),
        jwt.encode(word(), _EC, "ES256", {"kid": "elsewhere"}),
        jwt.encode(word(), Ed25519PrivateKey.generate(), "EdDSA", {"kid": "three"}),
        jwt.encode(word(azp="another"), _RSA, "RS256", {"kid": "one"}),
        jwt.encode(word(aud=[CLIENT, "another"]), _RSA, "RS256", {"kid": "one"}),
        jwt.encode(word(nonce="\ud800"), _RSA, "RS256", {"kid": "one"}),
        jwt.encode(word(at_hash="x"), _RSA, "RS256", {"kid": "one"}),
        jwt.encode(word(exp=1), _RSA, "RS256", {"kid": "one"}),
        jwt.encode(word(email="\ud800@example.com"), _RSA, "RS256", {"kid": "one"}),
        *(each for each in hostile.texts().values()),
    ]
    for each in forged:
        counted[0] += 1
        assert await login_of(each, known) is None, each[:200]


def _hmac(key: bytes, text: str) -> bytes:
    import hmac  # noqa: PLC0415 - what an attacker does with a public key

    return hmac.digest(key, text.encode(), "sha256")


@often
@given(seeds, st.text(max_size=60))
def test_tokens_of_pages_belong_to_one_session(counted: list[int], seed: int, garbage: str) -> None:
    right = csrf_token("secret")

    def read(text: str) -> bool:
        assert is_csrf_token(text, "secret") is (text == right)
        assert not is_csrf_token(right, text) or text == "secret"
        return text == right

    assert read(right)
    try_all(counted, (each.decode(errors="surrogateescape") for each in damaged(right.encode(), seed)), read)
    try_all(counted, iter([garbage, *hostile.texts().values()]), read)


@often
@given(seeds)
def test_signatures_in_headers_are_read_as_they_were_written_or_not_at_all(counted: list[int], seed: int) -> None:
    good = [Signature(kid, sha256(kid.encode()).digest() * 2) for kid in ("one", "two")]
    header = ", ".join(map(str, good))

    def read(raw: bytes) -> bool:
        found = signatures_in(raw.decode(errors="surrogateescape"))
        assert all(len(each.raw) == 64 and each.kid.isascii() and each.kid for each in found)
        assert signatures_in(",".join(map(str, found))) == found
        return bool(found)

    assert read(header.encode())
    try_all(counted, damaged(header.encode(), seed), read)
    try_all(counted, (each.encode() for each in hostile.texts().values()), lambda each: read(each) and False)


@often
@given(seeds)
def test_certificates_agree_with_the_agent_that_they_name_alone(counted: list[int], seed: int) -> None:
    own = agent_of("shop", "prod", "agent:1", instance="one")
    right = "trimtab://agent/shop/prod/one"

    def read(raw: bytes) -> bool:
        text = raw.decode(errors="surrogateescape")
        named = text.startswith("trimtab://agent/")
        agreed = agrees(own, [text])
        assert agreed is (not named or text in {right, "trimtab://agent/shop/prod"})
        assert not named or not agrees(holder("ci", Role.ADMIN), [text])
        return agreed and named

    assert read(right.encode())
    try_all(counted, damaged(right.encode(), seed), read)
    try_all(counted, (f"trimtab://agent/{each}".encode() for each in hostile.texts().values()), read)


@often
@given(seeds)
def test_reaches_have_one_spelling(counted: list[int], seed: int) -> None:
    def read(raw: bytes) -> bool:
        text = raw.decode(errors="surrogateescape")
        try:
            reach = Reach.parse(text)
        except ValueError:
            return False
        assert str(reach) == text
        assert all(each in {None, "*"} or is_name(each or "") for each in (reach.app_id, reach.environment))
        return True

    for good in (b"billing/prod/db.*", b"*/prod", b"billing", b"global"):
        assert read(good)
        try_all(counted, damaged(good, seed), read)
    try_all(counted, (each.encode() for each in hostile.texts().values()), read)


@often
@given(seeds)
def test_nobody_is_sent_elsewhere_after_a_login(counted: list[int], seed: int) -> None:
    def read(raw: bytes) -> bool:
        text = raw.decode(errors="surrogateescape")
        found = return_path(text, "/home")
        assert found[0] == "/"
        assert found[1:2] not in {"/", "\\"}
        assert found.isascii()
        assert not set(found) & set("\r\n\t\\ ")
        return found == text

    assert read(b"/docs?a=1#b")
    try_all(counted, damaged(b"/docs?next=https://example.com#b", seed), read)
    try_all(counted, (each.encode() for each in hostile.texts().values()), read)
    for each in (b"//evil.example", b"/\\evil.example", b"https://evil.example", b"/\t/evil.example", b"\n//evil", b""):
        assert not read(each)

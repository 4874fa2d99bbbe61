"""What every keeper of a key-encryption key does: a key of the settings, Vault's transit engine, and AWS's KMS."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from control_plane.composition.key_ring import open_key_ring
from control_plane.domain.errors import KeyLostError, UnavailableError
from control_plane.key_encryption.local import new_key
from control_plane.key_encryption.ring import KeyRing
from control_plane.settings.load import load_settings
from tests.fakes.secret_places import serving
from tests.fakes.vault_transit import TransitDouble
from tests.rig.kms import REGION, kms_server, opened_kms

pytestmark = pytest.mark.timeout(120)
KEY, PLACE = b"\x00\xffa data key of thirty-two bytes..", b"trimtab data key\x00one"


@dataclass
class Keeping:
    """A ring with one keeper, and what its owner can do to it."""

    ring: KeyRing
    away: Callable[[], Awaitable[object]] | None
    """It cannot be asked any more, or does not answer us."""


@pytest.fixture(scope="module")
def kms_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kms_server(tmp_path_factory.mktemp("kms")) as url:
        yield url


@pytest.fixture(params=["local", "vault", "aws-kms"])
async def keeping(request: pytest.FixtureRequest, tmp_path: Path, kms_url: str) -> AsyncIterator[Keeping]:
    async with AsyncExitStack() as stack:
        opened = {"local": _local, "vault": _vault, "aws-kms": _kms}[request.param]
        yield await opened(stack, tmp_path, kms_url)


def ring(environ: Mapping[str, str] | None = None, **settings: str) -> AbstractAsyncContextManager[KeyRing]:
    chosen = load_settings({}, database_url="postgresql://db/trimtab", **settings)
    return open_key_ring(chosen, environ or {})


async def _ring(stack: AsyncExitStack, environ: Mapping[str, str] | None = None, **settings: str) -> KeyRing:
    return await stack.enter_async_context(ring(environ, **settings))


async def _local(stack: AsyncExitStack, *_: object) -> Keeping:
    return Keeping(await _ring(stack, encryption_key=new_key()), None)


async def _vault(stack: AsyncExitStack, directory: Path, _: str) -> Keeping:
    double = TransitDouble()
    double.make("trimtab")
    url = await stack.enter_async_context(serving(double.app()))
    (directory / "token").write_text("root")
    ring = await _ring(stack, encryption_by="vault", vault_url=url, vault_token_file=str(directory / "token"))

    async def away() -> None:
        double.sealed = True

    return Keeping(ring, away)


async def _kms(stack: AsyncExitStack, _: Path, url: str) -> Keeping:
    kms = await stack.enter_async_context(opened_kms(url))
    arn = await kms.make()
    ring = await _ring(
        stack, kms.environ, encryption_by="aws-kms", aws_kms_key=arn.rpartition("/")[2], aws_kms_url=kms.url
    )
    assert ring.id == f"aws-kms:{arn}"
    return Keeping(ring, kms.forbid)


async def test_what_was_wrapped_opens_in_its_context_and_in_no_other(keeping: Keeping) -> None:
    wrapped = await keeping.ring.wrap(KEY, PLACE)
    assert wrapped.encrypted_by == keeping.ring.id
    assert KEY not in wrapped.blob
    assert (await keeping.ring.wrap(KEY, PLACE)).blob != wrapped.blob
    assert await keeping.ring.unwrap(wrapped, PLACE) == KEY
    for other in (b"", PLACE[:-1], PLACE + b"x", PLACE.replace(b"\0", b" ")):
        with pytest.raises(KeyLostError, match="altered"):
            await keeping.ring.unwrap(wrapped, other)


async def test_an_altered_blob_does_not_open(keeping: Keeping) -> None:
    wrapped = await keeping.ring.wrap(KEY, PLACE)
    for place in range(0, len(wrapped.blob), 7):
        blob = bytearray(wrapped.blob)
        blob[place] ^= 1
        with pytest.raises((KeyLostError, UnavailableError)):  # it may name a key that we may not use
            await keeping.ring.unwrap(replace(wrapped, blob=bytes(blob)), PLACE)
    for blob in (b"", wrapped.blob[:-4], b"\xff" * 100):
        with pytest.raises((KeyLostError, UnavailableError)):
            await keeping.ring.unwrap(replace(wrapped, blob=blob), PLACE)


async def test_a_key_that_nobody_has_is_named(keeping: Keeping) -> None:
    wrapped = await keeping.ring.wrap(KEY, PLACE)
    for stranger in ("0123456789ab", "vault:transit/other:v1", "aws-kms:arn:aws:kms:eu-north-1:1:key/2", ""):
        with pytest.raises(KeyLostError, match=f"key {stranger}, which this control plane does not have"):
            await keeping.ring.unwrap(replace(wrapped, encrypted_by=stranger), PLACE)


async def test_a_keeper_that_is_away_is_told_and_gives_no_garbage(keeping: Keeping) -> None:
    wrapped = await keeping.ring.wrap(KEY, PLACE)
    if keeping.away is None:  # a key of the settings is there as long as the process
        assert (await keeping.ring.probe()).ok
        return
    await keeping.away()
    with pytest.raises(UnavailableError, match="cannot be used"):
        await keeping.ring.unwrap(wrapped, PLACE)
    with pytest.raises(UnavailableError, match="cannot be used"):
        await keeping.ring.wrap(KEY, PLACE)
    assert (await keeping.ring.probe()).ok
    await keeping.ring.look_again()
    state = await keeping.ring.probe()
    assert (state.ok, state.required) == (False, False)
    assert "cannot be used" in state.detail


async def test_kms_knows_who_signs_and_lets_nobody_else(kms_url: str) -> None:
    async with opened_kms(kms_url) as kms:
        settings = {"encryption_by": "aws-kms", "aws_kms_key": await kms.make(), "aws_kms_url": kms.url}
        strangers = (
            {**kms.environ, "AWS_SECRET_ACCESS_KEY": "not the one"},
            {**kms.environ, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"},
        )
        for environ in strangers:
            with pytest.raises(UnavailableError, match="AWS answers 40") as caught:
                async with AsyncExitStack() as stack:
                    await _ring(stack, environ, **settings)
            assert environ["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


async def test_several_keys_at_kms_decrypt_and_the_first_encrypts(kms_url: str) -> None:
    async with opened_kms(kms_url) as kms:
        old, new = await kms.make(), await kms.make()
        settings = {"encryption_by": "aws-kms", "aws_kms_url": kms.url, "aws_region": REGION}
        async with ring(kms.environ, **settings, aws_kms_key=old) as before:
            wrapped = await before.wrap(KEY, PLACE)
        async with ring(kms.environ, **settings, aws_kms_key=f"{new}, {old}") as both:
            assert both.id == f"aws-kms:{new}"
            assert await both.unwrap(wrapped, PLACE) == KEY
        async with ring(kms.environ, **settings, aws_kms_key=new) as after:
            with pytest.raises(KeyLostError, match=old.rpartition("/")[2]):
                await after.unwrap(wrapped, PLACE)

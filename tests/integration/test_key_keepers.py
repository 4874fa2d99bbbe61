"""An installation whose key-encryption key is with somebody else: how it logs in, what is refused, and how it moves there."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from control_plane.composition.key_ring import open_key_ring
from control_plane.domain.errors import KeyLostError, UnavailableError
from control_plane.key_encryption.local import LocalKeyEncryption, new_key
from control_plane.key_encryption.ring import KeyRing
from control_plane.settings.load import SettingsError, load_settings
from control_plane.starting import StartError
from tests.fakes.secret_places import serving
from tests.fakes.vault_transit import Token, TransitDouble
from tests.rig.api import serving_api

pytestmark = pytest.mark.timeout(120)
KEY, PLACE = b"k" * 32, b"place"
ROOT = "root"


@pytest.fixture
def double() -> TransitDouble:
    made = TransitDouble()
    made.make("trimtab")
    return made


@asynccontextmanager
async def ring(environ: dict[str, str] | None = None, **settings: Any) -> AsyncIterator[KeyRing]:
    chosen = load_settings({}, database_url="postgresql://db/trimtab", **settings)
    async with open_key_ring(chosen, environ or {}) as opened:
        yield opened


def by_token(directory: Path, url: str, token: str = ROOT) -> dict[str, str]:
    path = directory / "token"
    path.write_text(f"{token}\n")
    return {"encryption_by": "vault", "vault_url": url, "vault_token_file": str(path)}


async def test_it_logs_in_with_what_it_was_given_and_again_when_its_token_is_revoked(
    tmp_path: Path, double: TransitDouble
) -> None:
    double.mount, double.namespace = "keys", "platform"
    double.logins = {
        "approle": {"role_id": "role", "secret_id": "s3cret"},
        "k8s": {"role": "trimtab", "jwt": "j.w.t"},
    }
    (tmp_path / "secret-id").write_text("s3cret\n")
    (tmp_path / "jwt").write_text("j.w.t")
    ways = (
        {"vault_auth": "approle", "vault_role_id": "role", "vault_secret_id_file": str(tmp_path / "secret-id")},
        {
            "vault_auth": "kubernetes",
            "vault_auth_mount": "k8s",
            "vault_role": "trimtab",
            "vault_jwt_file": str(tmp_path / "jwt"),
        },
    )
    async with serving(double.app()) as url:
        common = {"encryption_by": "vault", "vault_url": url, "vault_namespace": "platform"}
        for way in ways:
            async with ring(**common, **way, vault_transit_mount="keys") as opened:
                wrapped = await opened.wrap(KEY, PLACE)
                assert wrapped.encrypted_by == "vault:keys/trimtab:v1"
                double.tokens.clear()
                assert await opened.unwrap(wrapped, PLACE) == KEY
        assert [each for each in double.asked if "login" in each] == ["login approle"] * 2 + ["login k8s"] * 2


async def test_a_token_that_ends_is_prolonged_and_one_that_is_young_is_not(
    tmp_path: Path, double: TransitDouble
) -> None:
    double.tokens["periodic"] = token = Token(life=1_000.0, renewable=True)
    async with serving(double.app()) as url, ring(**by_token(tmp_path, url, "periodic")) as opened:
        await opened.look()
        assert token.renewals == 0
        token.since -= 500.0
        await opened.look()
        assert token.renewals == 1
        token.renewable = False
        token.since -= 500.0
        await opened.look()
        assert token.renewals == 1


async def test_a_rotated_transit_key_encrypts_anew_and_opens_what_its_older_versions_encrypted(
    tmp_path: Path, double: TransitDouble
) -> None:
    async with serving(double.app()) as url, ring(**by_token(tmp_path, url)) as opened:
        old = await opened.wrap(KEY, PLACE)
        double.make("trimtab")
        await opened.look()
        assert opened.id == "vault:transit/trimtab:v2"
        assert (await opened.wrap(KEY, PLACE)).encrypted_by == opened.id != old.encrypted_by
        assert await opened.unwrap(old, PLACE) == KEY
        double.oldest = 2
        with pytest.raises(KeyLostError, match="v1"):
            await opened.unwrap(old, PLACE)
        double.keys.clear()
        with pytest.raises(KeyLostError, match="does not have"):
            await opened.unwrap(old, PLACE)


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"keys": {}}, "404"),
        ({"kind": "rsa-4096"}, "must be one of"),
        ({"sealed": True}, "503"),
        ({"forbidden": {"keys"}}, "403"),
        ({"namespace": "other"}, "403"),
        ({"tokens": {}}, "403"),
    ],
)
async def test_without_a_usable_key_it_does_not_start_and_says_why_without_its_token(
    tmp_path: Path, double: TransitDouble, spoilt: dict[str, Any], why: str
) -> None:
    for name, value in spoilt.items():
        setattr(double, name, value)
    async with serving(double.app()) as url:
        with pytest.raises(UnavailableError, match=f"trimtab cannot be used.*{why}") as caught:
            async with ring(**by_token(tmp_path, url)):
                pass
    assert "root" not in str(caught.value)


async def test_no_key_is_ever_made_by_using_it(tmp_path: Path) -> None:
    double = TransitDouble()
    async with serving(double.app()) as url:
        with pytest.raises(UnavailableError):
            async with ring(**by_token(tmp_path, url)):
                pass
    assert double.keys == {}
    assert "encrypt" not in double.asked


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "trimtab keys generate"),
        ({"encryption_by": "vault"}, "TRIMTAB_VAULT_URL"),
        ({"encryption_by": "vault", "vault_url": "https://vault"}, "TRIMTAB_VAULT_TOKEN_FILE"),
        ({"encryption_by": "vault", "vault_url": "https://vault", "vault_auth": "approle"}, "TRIMTAB_VAULT_ROLE_ID"),
        ({"encryption_by": "aws-kms"}, "TRIMTAB_AWS_KMS_KEY"),
        ({"encryption_by": "aws-kms", "aws_kms_key": "alias/trimtab"}, "TRIMTAB_AWS_REGION"),
    ],
)
async def test_what_is_missing_is_named(settings: dict[str, str], why: str) -> None:
    with pytest.raises(StartError, match=why):
        async with ring(**settings):
            pass


@pytest.mark.parametrize("url", ["http://vault.example.com", "https://user:hunter2@vault", "vault", "https://v/?a=b"])
def test_keys_are_sent_over_tls_only(url: str) -> None:
    for name in ("vault_url", "aws_kms_url"):
        with pytest.raises(SettingsError, match=name.upper()) as caught:
            load_settings({}, database_url="postgresql://db/trimtab", **{name: url})
        assert "hunter2" not in str(caught.value)


async def test_an_installation_moves_from_a_key_of_its_own_to_vault(
    tmp_path: Path, migrated_url: str, double: TransitDouble
) -> None:
    local = new_key()
    secret = {"app_id": "shop", "environment": "prod", "key": "db.password", "value": "pw", "sensitive": True}
    async with AsyncExitStack() as stack:
        async with serving_api(migrated_url, encryption_key=local) as api:
            agent = await api.register()
            assert (await api.post("/configs", secret)).status == 201
        vault = by_token(tmp_path, await stack.enter_async_context(serving(double.app())))
        async with serving_api(migrated_url, encryption_key=local, **vault) as api:
            fetched = (await api.get("/snapshots/shop/prod", token=agent)).document
            assert "pw" in str(fetched)
            other = secret | {"key": "other", "value": "pw2", "environment": None}
            assert (await api.post("/configs", other)).status == 201
            keys = await api.services.configs._pool.fetch("select encrypted_by from data_keys")
            assert {each["encrypted_by"] for each in keys} == {
                LocalKeyEncryption.parse(local).id,
                "vault:transit/trimtab:v1",
            }
            double.make("trimtab")  # a version that nobody told this replica of
            rotated = await api.post("/keys/rotate", {"what": "wrapping"})
            assert rotated.status == 200
            assert [each["id"] for each in rotated.document["key_encryption_keys"]] == ["vault:transit/trimtab:v2"]
            double.sealed = True
            assert "pw" in str((await api.get("/snapshots/shop/prod", token=agent)).document), "its keys are in memory"
            state = next(
                each
                for each in (await api.get("//readyz")).document["dependencies"]
                if each["name"] == "key-encryption"
            )
            assert state["required"] is False

"""Sensitive values from before they were sealed, and those under replaced keys, are sealed anew beside everything else."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from control_plane.domain.access.role import Role
from control_plane.key_encryption.local import LocalKeyEncryption, new_key
from control_plane.postgres.configs import PostgresConfigs
from control_plane.postgres.renewal import PostgresRenewal
from control_plane.postgres.sealing.data_keys import DataKeys
from control_plane.postgres.sealing.seals import Seals
from shared.domain.codec import decode
from shared.runtime.clock import SystemClock
from tests.integration.test_sealed_values import everything
from tests.rig.api import Api, serving_api
from tests.rig.seals import ENCRYPTION_KEY
from tests.store import PROD, Store, billing_store, put

pytestmark = pytest.mark.integration
SECRET = "correct-horse-battery"


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as opened:
        yield opened


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as opened:
        await opened.register("billing", "prod")
        yield opened


def renewal_over(pool: asyncpg.Pool, keys: str = ENCRYPTION_KEY) -> PostgresRenewal:
    encryption = LocalKeyEncryption.parse(keys)
    data_keys = DataKeys(pool, encryption, SystemClock())
    return PostgresRenewal(pool, data_keys, Seals(data_keys), encryption)


async def renew(renewal: PostgresRenewal, most: int = 3) -> int:
    total = 0
    while done := await renewal.step(most):
        total += done
    return total


async def secrets_of(pool: asyncpg.Pool, keys: str = ENCRYPTION_KEY) -> dict[str, Any]:
    seals = Seals(DataKeys(pool, LocalKeyEncryption.parse(keys), SystemClock()))
    document = await PostgresConfigs(pool, seals).snapshot("billing", "prod", None)
    return {each.key: decode(each.entry.value) for each in document.items if each.entry is not None}


async def lay_bare(pool: asyncpg.Pool) -> None:
    """Let all values lie as they did before there were seals."""
    await pool.execute("alter table config_versions disable trigger user")
    for table, name in (("configs", "id"), ("config_versions", "config_id")):
        await pool.execute(f"update {table} set value = to_jsonb($1 || {name}::text) where value is not null", SECRET)  # noqa: S608
    await pool.execute("alter table config_versions enable trigger user")


async def test_what_lay_in_clear_is_sealed_in_steps_and_reads_as_before(store: Store) -> None:
    for number in range(8):
        await store.commit(put(PROD, f"key-{number}", SECRET, sensitive=True))
    await lay_bare(store.pool)
    before, renewal = await secrets_of(store.pool), renewal_over(store.pool)
    assert (await renewal.status()).outdated == 8
    assert await renewal.step(3) == 3
    assert (await renewal.status()).outdated == 5
    assert await renew(renewal_over(store.pool)) == 5
    assert (await renewal.status()).outdated == 0
    assert await secrets_of(store.pool) == before
    assert SECRET not in await everything(store.pool)


async def test_versions_can_be_sealed_and_otherwise_never_changed(store: Store) -> None:
    await store.commit(put(PROD, "plain", 1), put(PROD, "secret", 1, sensitive=True))
    for change in ("value = '2'", "kind = 'mask'", "revision = 7", "sensitive = false", "value = null"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await store.pool.execute(f"update config_versions set {change}")  # noqa: S608
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await store.pool.execute("delete from config_versions")


async def test_replaced_data_keys_encrypt_nothing_more_once_everything_is_sealed_anew(api: Api) -> None:
    pool = api.services.configs._pool
    operation = {"app_id": "billing", "environment": "prod", "key": "db.password"}
    made = await api.post("/configs", operation | {"value": "one", "sensitive": True})
    await api.put(f"/configs/{made.document['id']}", {"value": "two"}, headers={"If-Match": made.headers["ETag"]})
    waiting = {"op": "put", **operation, "value": SECRET}
    stored = await api.post("/changes", {"message": "", "mode": "submit", "operations": [waiting]})
    rollout = {**operation, "strategy": "immediate", "candidate": SECRET}
    assert (await api.post("/rollouts", rollout)).status == 201
    assert SECRET not in await everything(pool)

    told = (await api.post("/keys/rotate", {"what": "data"})).document
    assert (told["sensitive"], told["outdated"]) == (2, 2)
    assert await renew(renewal_over(pool)) == 4
    assert (await api.get("/keys")).document["outdated"] == 0
    retired = await pool.fetch("select id::text from data_keys where retired_at is not null")
    text = (await everything(pool)).replace('"id"', "")
    used = [each["id"] for each in retired if f'"key": "{each["id"]}"' in text]
    assert used == []
    assert await secrets_of(pool) == {"db.password": "two"}
    assert (await api.post(f"/changes/{stored.document['id']}/commit", {})).status in {200, 201}
    assert await secrets_of(pool) == {"db.password": SECRET}


async def test_another_key_encryption_key_takes_over_without_touching_a_value(store: Store) -> None:
    await store.commit(put(PROD, "db.password", SECRET, sensitive=True))
    values = await store.pool.fetch("select value from configs")
    new = new_key()
    both = renewal_over(store.pool, f"{new},{ENCRYPTION_KEY}")
    assert await both.rewrap() == 2
    assert await both.rewrap() == 0
    assert await secrets_of(store.pool, new) == {"db.password": SECRET}
    assert await store.pool.fetch("select value from configs") == values
    [key] = (await both.status()).keys
    assert (key.known, (await renewal_over(store.pool).status()).lost) == (True, (key.id,))


async def test_a_lost_key_is_told_and_everything_else_goes_on(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        await api.register("billing", "prod")
        secret = {"app_id": "billing", "environment": "prod", "key": "db.password", "value": SECRET, "sensitive": True}
        made = await api.post("/configs", secret)
        lost = (await api.get("/keys")).document["encrypted_by"]
        # A replica that cannot know anybody, or sign, does not even start: what is lost here are the keys of values alone.
        await api.services.registry._pool.execute("delete from signing_keys")
        await api.services.registry._pool.execute("delete from data_keys where purpose = 'digests'")
    async with serving_api(migrated_url, encryption_key=new_key()) as api:
        token = (await api.post("/apps/billing/environments/prod/agent-tokens", {})).document["token"]
        answer = await api.get("/snapshots/billing/prod", token=token)
        assert (answer.status, answer.document["key"]) == (503, lost)
        ready = await api.get("//readyz")
        assert (ready.status, ready.document["ready"]) == (200, True)
        assert f"missing: {lost}" in str(ready.document)
        plain = {"app_id": "billing", "environment": "prod", "key": "plain", "value": 1}
        assert (await api.post("/configs", plain)).status == 201
        assert (await api.get(f"/configs/{made.document['id']}")).status == 200


async def test_who_may_not_keep_keys_sees_none(api: Api) -> None:
    publisher = await api.key("pam", Role.PUBLISHER)
    assert (await api.get("/keys", token=publisher)).status == 403
    assert (await api.post("/keys/rotate", {"what": "data"}, token=publisher)).status == 403
    assert (await api.post("/keys/rotate", {"what": "everything"})).status == 422

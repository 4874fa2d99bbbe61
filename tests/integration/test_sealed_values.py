"""Sensitive values as they lie in the database: encrypted, each at its place, and in no form that tells them."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from control_plane.domain.errors import KeyLostError
from control_plane.key_encryption.local import LocalKeyEncryption, new_key
from control_plane.postgres.configs import PostgresConfigs
from control_plane.postgres.sealing.data_keys import DataKeys
from control_plane.postgres.sealing.seals import Seals
from shared.domain.codec import decode, encode
from shared.runtime.clock import SystemClock
from tests.rig.api import Api, serving_api
from tests.store import PROD, Store, billing_store, put

pytestmark = pytest.mark.integration
SECRET, NEXT = "correct-horse-battery", "staple-of-another-kind"


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as opened:
        yield opened


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as opened:
        await opened.register("billing", "prod")
        yield opened


async def everything(pool: asyncpg.Pool | asyncpg.Connection) -> str:
    """All rows of all tables, as text."""
    tables = await pool.fetch(
        "select oid::regclass as name from pg_class where relnamespace = current_schema::regnamespace and relkind = 'r'"
    )
    texts = [
        await pool.fetchval(f"select coalesce(string_agg(t::text, e'\\n'), '') from {each['name']} as t")  # noqa: S608
        for each in tables
    ]
    return "\n".join(texts)


async def read(store: Store, key: str = "db.password") -> Any:
    document = await store.configs.snapshot("billing", "prod", None)
    [entry] = [each.entry for each in document.items if each.key == key]
    assert entry is not None
    return decode(entry.value)


async def test_a_secret_is_nowhere_in_the_database_and_comes_back_whole(store: Store) -> None:
    for value in (SECRET, {"user": "app", "password": SECRET}, [SECRET] * 3, SECRET * 2_000):
        await store.commit(put(PROD, "db.password", value, sensitive=True))
        assert await read(store) == value
    assert SECRET not in await everything(store.pool)


async def test_a_config_that_is_known_as_secret_stays_one_when_a_change_does_not_say_so(store: Store) -> None:
    await store.commit(put(PROD, "db.password", SECRET, sensitive=True))
    await store.commit(put(PROD, "db.password", NEXT), put(PROD, "plain", "for all"))
    assert (await read(store), await read(store, "plain")) == (NEXT, "for all")
    assert NEXT not in await everything(store.pool)


async def test_equal_secrets_look_different_and_their_lengths_alike(store: Store) -> None:
    for number, value in enumerate((SECRET, SECRET, "x")):
        await store.commit(put(PROD, f"key-{number}", value, sensitive=True))
    rows = await store.pool.fetch("select value -> '$sealed' as sealed from configs order by key")
    one, same, short = (decode(row["sealed"]) for row in rows)
    assert one["data"] != same["data"]
    assert one["digest"] != same["digest"]
    assert len(one["data"]) == len(short["data"])


@pytest.mark.parametrize("moved", ["another config", "an older version", "a bit", "the key", "no base64"])
async def test_what_was_sealed_elsewhere_or_altered_does_not_open(store: Store, moved: str) -> None:
    await store.commit(put(PROD, "db.password", "old", sensitive=True), put(PROD, "other", "theirs", sensitive=True))
    await store.commit(put(PROD, "db.password", SECRET, sensitive=True))
    if moved == "another config":
        found = await store.pool.fetchval("select value from configs where key = 'other'")
    else:
        found = await store.pool.fetchval(
            "select v.value from config_versions as v join configs as c on c.id = v.config_id "
            "where c.key = 'db.password' and v.version = $1",
            1 if moved == "an older version" else 2,
        )
    document = decode(found)
    if moved == "a bit":
        data = document["$sealed"]["data"]
        document["$sealed"]["data"] = data[:-6] + ("A" if data[-6] != "A" else "B") + data[-5:]
    elif moved == "the key":
        document["$sealed"]["key"] = "0" * 8
    elif moved == "no base64":
        document["$sealed"]["data"] = "***"
    await store.pool.execute("update configs set value = $1 where key = 'db.password'", encode(document).decode())
    with pytest.raises(KeyLostError):
        await read(store)


async def test_without_the_key_encryption_key_it_is_clear_which_one_is_missing(store: Store) -> None:
    await store.commit(put(PROD, "db.password", SECRET, sensitive=True), put(PROD, "plain", 1))
    stranger = LocalKeyEncryption.parse(new_key())
    configs = PostgresConfigs(store.pool, Seals(DataKeys(store.pool, stranger, SystemClock())))
    with pytest.raises(KeyLostError, match="does not have"):
        await configs.snapshot("billing", "prod", None)


async def test_a_stored_change_keeps_its_secrets_sealed_until_it_is_committed(api: Api) -> None:
    operation = {"op": "put", "app_id": "billing", "environment": "prod", "key": "token"}
    first = await api.post(
        "/changes", {"message": "", "mode": "submit", "operations": [operation | {"value": SECRET, "sensitive": True}]}
    )
    pool = api.services.configs._pool
    assert SECRET not in await everything(pool)
    assert (await api.post(f"/changes/{first.document['id']}/commit", {})).status in {200, 201}
    second = await api.post("/changes", {"message": "", "mode": "submit", "operations": [operation | {"value": NEXT}]})
    shown = (await api.get(f"/changes/{second.document['id']}")).body
    assert NEXT.encode() not in shown
    assert (await api.post(f"/changes/{second.document['id']}/commit", {})).status in {200, 201}
    told = await everything(pool)
    assert SECRET not in told
    assert NEXT not in told
    snapshot = await api.services.configs.snapshot("billing", "prod", None)
    assert [decode(each.entry.value) for each in snapshot.items if each.entry] == [NEXT]


async def test_a_secret_cannot_be_guessed_from_what_is_kept_of_a_request(api: Api, migrated_url: str) -> None:
    """A short secret is found by trying, where a hash without a key tells which try was right."""
    config = {"app_id": "billing", "environment": "prod", "key": "pin", "value": "4711", "sensitive": True}
    place = {"app_id": "billing", "environment": "prod", "key": "rolled"}
    rollout = {**place, "strategy": "immediate", "candidate": "4712"}
    stored = {"mode": "submit", "operations": [{"op": "put", **config, "key": "stored"}]}
    await api.post("/configs", {**place, "value": "0", "sensitive": True})
    connection = await asyncpg.connect(migrated_url)
    for number, (path, body) in enumerate([("/configs", config), ("/rollouts", rollout), ("/changes", stored)]):
        sent = {"Idempotency-Key": f"request-{number}"}
        first = await api.post(path, body, headers=sent)
        again = await api.post(path, body, headers=sent)
        other = await api.post(path, body | {"message": "x"}, headers=sent)
        assert (first.status, again.status) == (201, 201), first.body
        assert again.headers["Idempotency-Replayed"] == "true"
        assert other.document["type"].endswith("key-reused")
        said = f"POST\n/api/v1{path}\noperator\n".encode() + encode(body)
        [kept] = await connection.fetch("select request_hash from idempotency_keys where key = $1", f"request-{number}")
        assert len(kept["request_hash"]) == 64
        assert kept["request_hash"] != hashlib.sha256(said).hexdigest()
        assert hashlib.sha256(said).hexdigest() not in await everything(connection)
    await connection.close()


async def test_what_somebody_writes_in_the_form_of_a_seal_is_a_value_like_any_other(store: Store) -> None:
    forged = {"$sealed": {"key": "x", "data": "AAAA", "digest": "y", "type": "string"}}
    await store.commit(put(PROD, "plain", forged), put(PROD, "secret", forged, sensitive=True))
    assert await read(store, "plain") == forged
    assert await read(store, "secret") == forged

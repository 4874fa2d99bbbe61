"""The short way of a commit leaves exactly what the general way leaves, or leaves the commit to it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Draft, Operation
from control_plane.postgres.drafts import waves, write_draft
from shared.domain.codec import decode
from tests.rig.api import serving_api
from tests.store import (
    BILLING,
    GLOBAL,
    OLGA,
    PROD,
    STAGING,
    Store,
    billing_store,
    delete,
    mask,
    open_store,
    put,
    unmask,
)

ONE, MANY = "select array[trimtab_commit_one($1::jsonb)]", "select trimtab_commit($1::jsonb)"
REHEARSE = "select trimtab_rehearse($1::jsonb)"

# What a commit of a key has left, without what is different for every change.
_LEFT = """
select jsonb_build_object(
    'config', to_jsonb(configs) - '{id,key,revision,updated_at}'::text[],
    'version', to_jsonb(config_versions) - '{config_id,revision}'::text[],
    'change', to_jsonb(changes) - '{id,revision,committed_at,created_at}'::text[],
    'scope', jsonb_build_object('app_id', change_scopes.app_id, 'environment', change_scopes.environment,
        'previous', changes.revision - change_scopes.previous,
        'digest', change_scopes.digest = scopes.digest and scopes.revision = changes.revision),
    'outbox', jsonb_build_object('scope', outbox.scope, 'published_at', outbox.published_at,
        'committed_at', outbox.committed_at = changes.committed_at),
    'audit', to_jsonb(audit_logs) - '{seq,at,revision,hash,previous_hash,object}'::text[]
        #- '{detail,operations,0,config_id}' #- '{detail,operations,0,key}',
    'object', audit_logs.object = 'change:' || changes.id,
    'at', array[configs.updated_at, audit_logs.at, installation.committed_at] = array_fill(changes.committed_at, array[3]),
    'head', installation.revision = changes.revision and installation.audit_hash = audit_logs.hash
) from configs
join config_versions on config_id = configs.id and config_versions.version = configs.version
join changes on changes.revision = configs.revision
join change_scopes on change_scopes.revision = changes.revision
join scopes on scopes.app_id = change_scopes.app_id and scopes.environment = change_scopes.environment
join outbox on outbox.revision = changes.revision
join audit_logs on audit_logs.revision = changes.revision
cross join installation
where configs.key = $1
"""


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with billing_store(migrated_url) as store:
        yield store


async def run(store: Store, statement: str, draft: Draft) -> Any:
    """What a way answers; the general ways take waves."""
    written = write_draft(draft)
    argument = written.document if statement == ONE else waves([written])
    (outcome,) = await store.pool.fetchval(statement, argument.decode())
    return decode(outcome)


async def left(store: Store, key: str) -> Any:
    return decode(await store.pool.fetchval(_LEFT, key))


@pytest.mark.parametrize("scope", [GLOBAL, BILLING, PROD])
async def test_both_ways_leave_the_same_and_answer_the_same(store: Store, scope: Any) -> None:
    await store.commit(put(scope, "one", {"a": 1}, description="what for", owner="team", labels={"tier": "1"}))
    await store.commit(put(scope, "two", {"a": 1}, description="what for", owner="team", labels={"tier": "1"}))
    for value in ({"a": 2}, {}, {"b": ["ü", None, 1.5]}):
        drafts = [Draft((put(scope, key, value),), OLGA, message="why") for key in ("one", "two")]
        assert shape(await run(store, ONE, drafts[0])) == shape(await run(store, REHEARSE, drafts[0]), behind=1)
        short = await left(store, "one")
        await run(store, MANY, drafts[1])
        assert short == await left(store, "two")
        assert (short["head"], short["at"], short["object"], short["scope"]["digest"]) == (True, True, True, True)
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


def shape(outcome: Any, behind: int = 0) -> Any:
    """An answer without its time and its revisions, which a later one has one further."""
    applied = [[*each[:5], each[5] - behind, *each[6:]] for each in outcome["applied"]]
    return applied, outcome["revision"] - behind, [each[:2] for each in outcome["scopes"]], outcome.get("hits", [])


def updates(operation: Operation, **draft: Any) -> Draft:
    return Draft((operation,), **({"by": OLGA} | draft))


_UNUSUAL = {
    "a new key": updates(put(PROD, "new", 1)),
    "another type": updates(put(PROD, "key", "text")),
    "a value that becomes secret": updates(put(PROD, "key", 2, sensitive=True)),
    "a secret": updates(put(PROD, "secret", "b")),
    "a description": updates(put(PROD, "key", 2, description="new")),
    "labels of the config": updates(put(PROD, "key", 2, labels={"a": "b"})),
    "a mask": updates(mask(PROD, "key")),
    "a value on a mask": updates(put(PROD, "masked", 1)),
    "unmask": updates(unmask(PROD, "masked")),
    "delete": updates(delete(PROD, "key")),
    "a deleted one": updates(put(PROD, "deleted", 1)),
    "labels of the change": updates(put(PROD, "key", 2), labels={"ticket": "1"}),
    "an Idempotency-Key": updates(put(PROD, "key", 2), idempotency_key="k", request_hash=b"h"),
    "an author who is not who commits": updates(put(PROD, "key", 2), author="paul"),
    "a version that is not current": updates(put(PROD, "key", 2, expected_version=7)),
    "a version that must not be there": updates(put(PROD, "key", 2, expected_version=0)),
    "a key that moved": updates(put(PROD, "key", 2), base_revision=0),
    "rules that moved": updates(put(PROD, "key", 2), rules_revision=10**6),
    "an application that is not there": updates(put(replace(PROD, app_id="nobody"), "key", 2)),
    "an archived environment": updates(put(STAGING, "key", 2)),
}


@pytest.mark.parametrize("draft", _UNUSUAL.values(), ids=_UNUSUAL)
async def test_what_is_not_plain_goes_the_general_way(store: Store, draft: Draft) -> None:
    for key, value in (("key", 1), ("secret", "a"), ("deleted", 1)):
        await store.commit(put(PROD, key, value, sensitive=key == "secret"))
    await store.commit(delete(PROD, "deleted"))
    await store.commit(mask(PROD, "masked"))
    await store.commit(put(STAGING, "key", 1))
    await store.pool.execute("update environments set archived_at = now() where environment = 'staging'")
    expected = await run(store, REHEARSE, draft)
    found = await run(store, ONE, draft)
    if "state" in expected:
        assert found == expected
        assert await store.changes.revision() == 6
    else:
        assert [each[:1] + each[2:] for each in found["applied"]] == [
            each[:1] + each[2:] for each in expected["applied"]
        ]
        assert (found["revision"], found["scopes"]) == (expected["revision"], expected["scopes"])
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


async def test_what_a_version_or_a_base_says_is_heeded_on_the_short_way(store: Store) -> None:
    await store.commit(put(PROD, "key", 1))
    taken = await run(store, ONE, updates(put(PROD, "key", 2, expected_version=1), base_revision=1))
    assert (taken["revision"], taken["applied"][0][5]) == (2, 2)
    assert (await run(store, ONE, updates(put(PROD, "key", 3, expected_version=1))))["state"] == "TT412"
    assert (await run(store, ONE, updates(put(PROD, "key", 3), base_revision=1)))["state"] == "TT409"


async def test_who_acts_is_in_the_record(store: Store) -> None:
    await store.commit(put(PROD, "key", 1))
    by = Attribution("olga", "192.0.2.7", "req-9", "admin", "curl/8", OLGA.source)
    await run(store, ONE, Draft((put(PROD, "key", 2),), by))
    row = await store.pool.fetchrow("select * from audit_logs order by seq desc limit 1")
    assert (row["actor"], row["address"], row["request_id"], row["role"], row["user_agent"]) == (
        "olga",
        "192.0.2.7",
        "req-9",
        "admin",
        "curl/8",
    )


async def test_an_ordinary_put_through_the_api_goes_the_short_way(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api, open_store(migrated_url) as store:
        await api.register("shop", "prod")
        made = await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": "key", "value": 1})
        await store.pool.execute("drop function trimtab_commit cascade")  # so that no other way is left
        done = await api.put(f"/configs/{made.document['id']}", {"value": 2}, headers={"If-Match": '"1"'})
        assert (done.status, done.document["version"]) == (200, 2)

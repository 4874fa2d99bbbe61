"""Applications and environments at their end, over HTTP: archived, unarchived, deleted."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import asyncpg
import pytest

from agent.snapshot.model import Snapshot
from control_plane.domain.access.role import Role
from shared.domain.codec import decode
from shared.domain.scope import Revisions
from shared.wire.messages import ChangeMessage, Delete, decode_message
from shared.wire.sse import read_events
from tests.rig.api import Answer, Api, serving_api
from tests.store import OLGA, PROD, Store, open_store, put

SHOP = "confirm=shop"
PROD_OF_SHOP = "confirm=shop/prod"


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with open_store(migrated_url) as store:
        yield store


async def _fill(api: Api, *keys: str, environment: str | None = "prod") -> None:
    operations = [{"op": "put", "app_id": "shop", "environment": environment, "key": key, "value": key} for key in keys]
    assert (await api.post("/changes", {"operations": operations})).status == 201


async def _archive(api: Api, *, force: bool = False) -> Answer:
    return await api.post("/apps/shop/archive", {"confirm": "shop", "force": force})


async def _report(api: Api, token: str, instance: str = "i1", revision: int = 0) -> None:
    report = {
        "instance": instance,
        "app_id": "shop",
        "environment": "prod",
        "agent_version": "1",
        "revisions": {"global": 0, "app": 0, "environment": revision},
        "state": "live",
        "transport": "sse",
    }
    assert (await api.post("/agents/report", report, token=token)).status == 200


async def _audit(store: Store) -> list[tuple[str, str, Any]]:
    rows = await store.pool.fetch("select action, object, detail, actor, role from audit_logs order by seq")
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None
    assert {(each["actor"], each["role"]) for each in rows[1:]} == {("operator", "operator")}
    return [(each["action"], each["object"], decode(each["detail"])) for each in rows]


async def test_what_is_archived_is_hidden_and_served_and_not_written_to(api: Api) -> None:
    token = await api.register()
    await _fill(api, "a")
    done = await _archive(api)
    assert (done.status, done.document["archived_at"] is not None) == (200, True)
    assert (await api.get("/apps")).document["items"] == []
    assert [each["app_id"] for each in (await api.get("/apps?include_archived=true")).document["items"]] == ["shop"]
    assert (await api.get("/configs")).document["items"] == []
    assert len((await api.get("/configs?include_archived=true")).document["items"]) == 1
    assert (await api.get("/apps/shop")).document["environments"] == ["prod"]
    assert (await api.get("/snapshots/shop/prod", token=token)).status == 200
    refused = await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": "b", "value": 1})
    assert (refused.status, "archived" in refused.document["detail"]) == (409, True)
    assert "POST /api/v1/apps/shop/unarchive" in refused.document["hint"]
    assert (await api.post("/apps/shop/environments", {"environment": "dev"})).status == 409
    assert "archived" in (await api.post("/apps", {"app_id": "shop"})).document["detail"]


async def test_what_is_unarchived_is_as_before(api: Api) -> None:
    await api.register()
    await _archive(api)
    done = await api.post("/apps/shop/unarchive", None)
    assert (done.status, done.document["archived_at"]) == (200, None)
    assert len((await api.get("/apps")).document["items"]) == 1
    await _fill(api, "a")


async def test_an_environment_is_archived_for_itself(api: Api) -> None:
    await api.register("shop", "prod")
    await api.register("shop", "dev")
    done = await api.post("/apps/shop/environments/dev/archive", {"confirm": "shop/dev"})
    assert (done.document["environments"], done.document["archived_environments"]) == (["prod"], ["dev"])
    assert [each["environment"] for each in (await api.get("/apps/shop/environments")).document["items"]] == ["prod"]
    listed = (await api.get("/apps/shop/environments?include_archived=true")).document["items"]
    assert [(each["environment"], each["archived"]) for each in listed] == [("dev", True), ("prod", False)]
    await _fill(api, "a", environment="prod")
    refused = await api.post("/configs", {"app_id": "shop", "environment": "dev", "key": "a", "value": 1})
    assert "/apps/shop/environments/dev/unarchive" in refused.document["hint"]
    assert len((await api.get("/apps/shop/environments/dev/agent-tokens")).document["items"]) == 1
    assert (await api.post("/apps/shop/environments/dev/unarchive", None)).document["archived_environments"] == []


@pytest.mark.parametrize("typed", ["", "Shop", "shop/prod", "mail"])
async def test_a_wrong_confirmation_says_what_to_type(api: Api, typed: str) -> None:
    await api.register()
    refused = await api.post("/apps/shop/archive", {"confirm": typed} if typed else {})
    assert (refused.status, refused.pointers) == (422, ["/confirm"])
    assert "'shop'" in refused.document["violations"][0]["detail"]
    await _archive(api)
    refused = await api.delete(f"/apps/shop?confirm={typed}" if typed else "/apps/shop")
    assert (refused.status, refused.pointers) == (422, ["?confirm"])
    refused = await api.delete("/apps/shop/environments/prod?confirm=prod")
    assert "'shop/prod'" in refused.document["violations"][0]["detail"]
    assert (await api.get("/apps/shop")).status == 200


async def test_nothing_is_taken_from_live_agents_unless_forced(api: Api) -> None:
    token = await api.register()
    for number in range(12):
        await _report(api, token, f"i{number:02}")
    for answer in (
        await _archive(api),
        await api.post("/apps/shop/environments/prod/archive", {"confirm": "shop/prod"}),
        await api.delete(f"/apps/shop?{SHOP}"),
    ):
        assert (answer.status, answer.document["live_agents"]) == (409, 12)
        assert answer.document["agents"][0] == "prod/i00"
        assert "and 2 more" in answer.document["detail"]
    assert (await _archive(api, force=True)).status == 200
    assert (await api.delete(f"/apps/shop?{SHOP}")).status == 409
    assert (await api.delete(f"/apps/shop?{SHOP}&force=true")).status == 200


async def test_deleting_needs_archiving_first_or_force(api: Api) -> None:
    await api.register()
    refused = await api.delete(f"/apps/shop?{SHOP}")
    assert (refused.status, "not archived" in refused.document["detail"]) == (409, True)
    assert "/api/v1/apps/shop/archive" in refused.document["hint"]
    assert (await api.delete(f"/apps/shop?{SHOP}&force=true")).status == 200
    assert (await api.get("/apps/shop")).status == 404


async def test_an_unknown_name_is_not_found(api: Api) -> None:
    await api.post("/apps", {"app_id": "shop"})
    for answer in (
        await api.post("/apps/nope/archive", {"confirm": "nope"}),
        await api.post("/apps/nope/unarchive", None),
        await api.delete("/apps/nope?confirm=nope"),
        await api.delete("/apps/nope?confirm=nope&force=true"),
        await api.put("/apps/nope", {"description": ""}),
    ):
        assert (answer.status, "'nope'" in answer.document["detail"]) == (404, True)
    for answer in (
        await api.post("/apps/shop/environments/nope/archive", {"confirm": "shop/nope"}),
        await api.post("/apps/shop/environments/nope/unarchive", None),
        await api.delete("/apps/shop/environments/nope?confirm=shop/nope"),
        await api.delete("/apps/shop/environments/nope?confirm=shop/nope&force=true"),
    ):
        assert (answer.status, "'shop/nope'" in answer.document["detail"]) == (404, True)


async def test_a_deleted_application_goes_with_all_it_had_as_one_change(api: Api, store: Store) -> None:
    token = await api.register("shop", "prod")
    await api.register("shop", "dev")
    await api.register("mail", "prod")
    await _fill(api, "a", "b")
    await _fill(api, "c", environment=None)
    await api.post("/changes", {"operations": [{"op": "mask", "app_id": "shop", "environment": "dev", "key": "c"}]})
    await api.post("/configs", {"app_id": "mail", "key": "stays", "value": 1})
    config = (await api.get("/configs?app_id=shop")).document["items"][0]["id"]
    await _archive(api)
    done = await api.delete(f"/apps/shop?{SHOP}&message=the%20shop%20closed")
    assert done.document == {
        "app_id": "shop",
        "environment": None,
        "revision": 5,
        "entries": 4,
        "environments": ["dev", "prod"],
        "agent_tokens": 2,
    }
    assert (await api.get("/apps/shop")).status == 404
    assert (await api.get("/snapshots/shop/prod")).status == 404
    assert [each["key"] for each in (await api.get("/configs")).document["items"]] == ["stays"]
    change = (await api.get("/changes/5")).document
    assert (change["message"], change["author"]) == ("the shop closed", "operator")
    assert sorted((each["op"], each["key"]) for each in change["operations"]) == [
        ("delete", "a"),
        ("delete", "b"),
        ("delete", "c"),
        ("unmask", "c"),
    ]
    assert len((await api.get(f"/configs/{config}/versions")).document["items"]) == 2
    assert await store.pool.fetchval("select count(*) from credentials where app_id = 'shop'") == 0
    services = api.services
    assert services.feed.revision == 5
    services.access._known.clear()
    assert (await api.get("/snapshots/shop/prod", token=token)).status == 401
    actions = [(action, where) for action, where, _ in await _audit(store)][-3:]
    assert actions[0] == ("app.archived", "app.shop")
    assert (actions[1][0], actions[2]) == ("change.committed", ("app.deleted", "app.shop"))


async def test_a_deleted_environment_leaves_the_others_as_they_are(api: Api) -> None:
    for name in ("prod", "dev", "old"):
        await api.register("shop", name)
    await _fill(api, "a")
    await _fill(api, "a", environment="dev")
    for name in ("old", "dev"):
        await api.post(f"/apps/shop/environments/{name}/archive", {"confirm": f"shop/{name}"})
    await _archive(api)
    done = await api.delete("/apps/shop/environments/dev?confirm=shop/dev")
    assert (done.document["entries"], done.document["environments"]) == (1, ["dev"])
    app = (await api.get("/apps/shop")).document
    assert (app["environments"], app["archived_environments"]) == (["prod"], ["old"])
    assert app["archived_at"] is not None
    left = (await api.get("/configs?include_archived=true")).document["items"]
    assert [each["environment"] for each in left] == ["prod"]


async def test_what_held_nothing_is_deleted_without_a_change(api: Api) -> None:
    await api.register()
    done = await api.delete(f"/apps/shop/environments/prod?{PROD_OF_SHOP}&force=true")
    assert (done.document["revision"], done.document["entries"], done.document["agent_tokens"]) == (None, 0, 1)
    done = await api.delete(f"/apps/shop?{SHOP}&force=true")
    assert (done.document["revision"], done.document["environments"]) == (None, [])


async def test_more_than_one_change_may_hold_is_deleted_as_one(api: Api) -> None:
    await api.register()
    for start in range(0, 1_500, 500):
        await _fill(api, *(f"k{number:04}" for number in range(start, start + 500)))
    done = await api.delete(f"/apps/shop?{SHOP}&force=true")
    assert (done.status, done.document["entries"], done.document["revision"]) == (200, 1_500, 4)
    assert (await api.get("/configs")).document["items"] == []


async def test_an_agent_never_goes_back_when_a_name_is_used_again(store: Store, api: Api) -> None:
    await store.registry.create_app("billing", "", OLGA)
    await store.registry.create_environment("billing", "prod", OLGA)
    agent = Snapshot.empty("billing", "prod")
    await store.commit(put(PROD, "a", 1), put(PROD, "b", 1))
    agent = agent.after(await store.configs.snapshot("billing", "prod", None))
    before = agent.revisions
    deleted = await api.delete("/apps/billing?confirm=billing&force=true")
    for message in await store.changes.messages_after(1, 10):
        agent = agent.after_messages([message])
    assert (agent.revision, dict(agent.effective)) == (deleted.document["revision"], {})
    await store.registry.create_app("billing", "", OLGA)
    await store.registry.create_environment("billing", "prod", OLGA)
    document = await store.configs.snapshot("billing", "prod", agent.revisions)
    assert document.revisions.covers(agent.revisions)
    agent = agent.after(document)
    again = await store.commit(put(PROD, "a", 2))
    agent = agent.after(await store.configs.snapshot("billing", "prod", agent.revisions))
    assert (agent.revision, again.applied[0].version) == (again.revision, 3)
    assert agent.revisions.covers(before)
    late = Snapshot.empty("billing", "prod").after(await store.configs.snapshot("billing", "prod", Revisions(0, 0, 1)))
    assert list(late.effective) == ["a"]


async def test_a_deletion_that_is_cut_off_leaves_everything(store: Store, migrated_url: str, api: Api) -> None:
    """The server dies after the change is written and before the registration is gone."""
    await api.register()
    await _fill(api, "a", "b")
    await _archive(api)
    blocker = await asyncpg.connect(migrated_url)
    holding = blocker.transaction()
    await holding.start()
    await blocker.execute("select from environments for update")
    answers: list[Answer] = []

    async def delete() -> None:
        answers.append(await api.delete(f"/apps/shop?{SHOP}"))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(delete)
            while not await blocker.fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'trimtab' and wait_event_type = 'Lock' and datname = current_database()"
            ):
                await anyio.sleep(0.01)
    await holding.rollback()
    await blocker.close()
    assert answers[0].status == 503
    app = (await api.get("/apps/shop")).document
    assert (app["environments"], app["archived_at"] is not None) == (["prod"], True)
    assert len((await api.get("/configs?include_archived=true")).document["items"]) == 2
    assert await store.changes.revision() == 1
    assert [action for action, *_ in await _audit(store)][-1] == "app.archived"
    assert (await api.delete(f"/apps/shop?{SHOP}")).document["entries"] == 2


async def test_every_act_is_audited_once(api: Api, store: Store) -> None:
    await api.register()
    await api.put("/apps/shop", {"description": "sells things"})
    await api.put("/apps/shop", {"description": "sells things"})
    await _archive(api)
    await _archive(api)
    await api.post("/apps/shop/unarchive", None)
    await api.post("/apps/shop/environments/prod/archive", {"confirm": "shop/prod", "force": True})
    await api.delete(f"/apps/shop/environments/prod?{PROD_OF_SHOP}")
    records = [each for each in await _audit(store) if each[0] not in {"operator.ensured", "agent-token.created"}]
    assert [each[:2] for each in records[2:]] == [
        ("app.described", "app.shop"),
        ("app.archived", "app.shop"),
        ("app.unarchived", "app.shop"),
        ("environment.archived", "env.shop.prod"),
        ("environment.deleted", "env.shop.prod"),
    ]
    assert (records[2][2]["before"], records[2][2]["after"]) == ("", "sells things")
    assert records[5][2] == {"app_id": "shop", "environment": "prod", "forced": True}
    assert records[6][2]["tokens"] == 1
    assert (await api.get("/apps/shop")).document["description"] == "sells things"


async def test_repeated_requests_get_the_first_answer(api: Api) -> None:
    await api.register()
    key = {"Idempotency-Key": "k1"}
    first = await api.post("/apps/shop/archive", {"confirm": "shop"}, headers=key)
    again = await api.post("/apps/shop/archive", {"confirm": "shop"}, headers=key)
    assert (again.status, again.document) == (200, first.document)
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_only_who_may_write_applications_ends_them(api: Api) -> None:
    await api.register()
    publisher = await api.key("pat", Role.PUBLISHER)
    assert (await api.post("/apps/shop/archive", {"confirm": "shop"}, token=publisher)).status == 403
    assert (await api.delete(f"/apps/shop?{SHOP}&force=true", token=publisher)).status == 403


async def test_schemas_of_an_application_go_with_it(api: Api, store: Store) -> None:
    await api.register()
    schema = {"app_id": "shop", "pattern": "a", "schema": {"type": "string"}}
    made = await api.post("/schemas", schema)
    assert made.status == 201, made.body
    await api.delete(f"/apps/shop?{SHOP}&force=true")
    assert (await api.get("/schemas")).document["items"] == []
    action, _, detail = (await _audit(store))[-1]
    assert (action, detail["schemas"][0]["pattern"]) == ("app.deleted", "a")
    await api.register()
    assert (await api.post("/configs", {"app_id": "shop", "key": "a", "value": 1})).status == 201


async def test_whatever_is_made_there_meanwhile_nothing_is_left_half(api: Api, store: Store) -> None:
    """Environments, tokens and configs are made while their application is deleted, again and again."""
    statuses: set[int] = set()

    async def make(path: str, body: Any) -> None:
        statuses.add((await api.post(path, body)).status)

    for number in range(10):
        await api.register()
        async with anyio.create_task_group() as group:
            group.start_soon(make, "/apps/shop/environments", {"environment": "dev"})
            group.start_soon(make, "/apps/shop/environments/prod/agent-tokens", {})
            group.start_soon(make, "/configs", {"app_id": "shop", "environment": "prod", "key": "a", "value": number})
            group.start_soon(api.delete, f"/apps/shop?{SHOP}&force=true")
        while (answer := await api.delete(f"/apps/shop?{SHOP}&force=true")).status != 404:
            assert answer.status in {200, 503}, answer.body
    assert statuses <= {201, 404, 409, 503}
    assert await store.pool.fetchval("select count(*) from configs where not deleted") == 0
    assert await store.pool.fetchval("select trimtab_audit_broken_at()") is None


async def test_its_agents_hear_that_it_is_gone(api: Api) -> None:
    token = await api.register()
    await _fill(api, "a", "b")
    headers = {"Authorization": f"Bearer {token}"}
    with anyio.fail_after(20):
        async with api.session.get(f"{api.url}/api/v1/snapshots/shop/prod/watch", headers=headers) as response:
            messages = (decode_message(event.data) async for event in read_events(response.content.iter_any()))
            await anext(messages)
            gone = (await api.delete(f"/apps/shop?{SHOP}&force=true")).document
            heard = [each async for each in messages if isinstance(each, ChangeMessage)]
    assert [each.revision for each in heard] == [gone["revision"]]
    assert {each.key for each in heard[0].operations if isinstance(each, Delete)} == {"a", "b"}

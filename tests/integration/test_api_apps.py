"""Applications, environments and agent tokens over HTTP."""

from collections.abc import AsyncIterator

import anyio
import asyncpg
import pytest

from tests.rig.api import Api, serving_api


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


async def test_an_application_is_registered_once(api: Api) -> None:
    made = await api.post("/apps", {"app_id": "shop", "description": "the shop"})
    assert (made.status, made.headers["Location"]) == (201, "/api/v1/apps/shop")
    assert (await api.get("/apps/shop")).document == made.document
    again = await api.post("/apps", {"app_id": "shop"})
    assert (again.status, again.document["app_id"]) == (409, "shop")


async def test_an_environment_belongs_to_an_application(api: Api) -> None:
    assert (await api.post("/apps/shop/environments", {"environment": "prod"})).status == 404
    await api.post("/apps", {"app_id": "shop"})
    assert (await api.post("/apps/shop/environments", {"environment": "prod"})).status == 201
    assert (await api.post("/apps/shop/environments", {"environment": "prod"})).status == 409
    assert (await api.get("/apps/shop/environments")).document["items"] == [
        {"app_id": "shop", "environment": "prod", "archived": False}
    ]
    assert (await api.get("/apps/shop")).document["environments"] == ["prod"]


async def test_a_name_that_cannot_be_is_pointed_at(api: Api) -> None:
    await api.post("/apps", {"app_id": "shop"})
    for name in ("", "Shop", "-shop", "a.b", "a" * 64, "sh op", "shöp", "shop\n", "\0"):
        answer = await api.post("/apps", {"app_id": name})
        assert (answer.status, answer.pointers) == (422, ["/app_id"])
        answer = await api.post("/apps/shop/environments", {"environment": name})
        assert (answer.status, answer.pointers) == (422, ["/environment"])


async def test_a_path_that_names_no_application_is_not_found(api: Api) -> None:
    for name in ("nope", "Shop", "%00", "a%2Fb", "a" * 64, "..%2f"):
        for path in (f"/apps/{name}", f"/apps/{name}/environments", f"/apps/{name}/environments/prod/agent-tokens"):
            assert (await api.get(path)).status == 404


async def test_lists_come_in_pages(api: Api) -> None:
    for name in ("a", "b", "c"):
        await api.post("/apps", {"app_id": name})
        await api.post("/apps/a/environments", {"environment": name})
    for path, member in (("/apps", "app_id"), ("/apps/a/environments", "environment")):
        first = (await api.get(f"{path}?limit=2")).document
        rest = (await api.get(f"{path}?limit=2&cursor={first['next_cursor']}")).document
        assert [each[member] for each in first["items"] + rest["items"]] == ["a", "b", "c"]
        assert rest["next_cursor"] is None
        assert (await api.get(f"{path}?cursor=%21")).pointers == ["?cursor"]


async def test_a_token_is_shown_once_and_works_until_it_is_revoked(api: Api) -> None:
    await api.register()
    tokens = "/apps/shop/environments/prod/agent-tokens"
    made = await api.post(tokens, {"description": "blue"})
    assert made.headers["Location"] == f"/api/v1{tokens}/{made.document['id']}"
    token = made.document["token"]
    listed = await api.get(tokens)
    assert [each["description"] for each in listed.document["items"]] == ["", "blue"]
    assert token.encode() not in listed.body
    assert (await api.get("/snapshots/shop/prod", token=token)).status == 200
    assert (await api.delete(f"{tokens}/{made.document['id']}")).status == 204
    assert (await api.get("/snapshots/shop/prod", token=token)).status == 401
    assert (await api.delete(f"{tokens}/{made.document['id']}")).status == 404
    assert (await api.delete(f"{tokens}/nope")).status == 404


async def test_repeated_registrations_get_the_first_answer(api: Api) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await api.post("/apps", {"app_id": "shop"}, headers=key)
    again = await api.post("/apps", {"app_id": "shop"}, headers=key)
    assert (again.status, again.document, again.headers["Location"]) == (201, first.document, first.headers["Location"])
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await api.post("/apps", {"app_id": "mail"}, headers=key)
    assert other.document["type"].rpartition("/")[2] == "idempotency-key-reused"
    change = await api.post("/configs", {"key": "a", "value": 1}, headers=key)
    assert change.document["type"].rpartition("/")[2] == "idempotency-key-reused"


async def test_a_failed_registration_can_be_corrected_with_the_same_key(api: Api) -> None:
    key, body = {"Idempotency-Key": "k1"}, {"environment": "prod"}
    assert (await api.post("/apps/shop/environments", body, headers=key)).status == 404
    await api.post("/apps", {"app_id": "shop"})
    assert (await api.post("/apps/shop/environments", body, headers=key)).status == 201


async def test_a_token_is_not_made_twice_and_its_secret_not_shown_twice(api: Api) -> None:
    await api.register()
    tokens = "/apps/shop/environments/prod/agent-tokens"
    made = await api.post(tokens, {}, headers={"Idempotency-Key": "k1"})
    again = await api.post(tokens, {}, headers={"Idempotency-Key": "k1"})
    assert (again.status, again.document["location"]) == (409, made.headers["Location"])
    assert made.document["token"].encode() not in again.body
    assert len((await api.get(tokens)).document["items"]) == 2


async def test_of_requests_at_once_with_one_key_one_acts(api: Api) -> None:
    statuses: list[int] = []

    async def register() -> None:
        statuses.append((await api.post("/apps", {"app_id": "shop"}, headers={"Idempotency-Key": "k1"})).status)

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(register)
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert (await api.post("/apps", {"app_id": "shop"}, headers={"Idempotency-Key": "k1"})).status == 201


async def test_every_act_is_attributed_to_its_request(api: Api, migrated_url: str) -> None:
    def id_(number: int) -> dict[str, str]:
        return {"X-Request-Id": f"req-{number}"}

    await api.post("/apps", {"app_id": "shop"}, headers=id_(1))
    await api.post("/apps/shop/environments", {"environment": "prod"}, headers=id_(2))
    tokens = "/apps/shop/environments/prod/agent-tokens"
    made = (await api.post(tokens, {}, headers=id_(3))).document
    await api.delete(f"{tokens}/{made['id']}", headers=id_(4))
    await api.post("/configs", {"key": "a", "value": 1}, headers=id_(5))
    connection = await asyncpg.connect(migrated_url)
    try:
        records = await connection.fetch("select * from audit_logs where action <> 'operator.ensured' order by seq")
    finally:
        await connection.close()
    numbers = (
        1,
        2,
        3,
        4,
        4,
        5,
    )  # with the fourth two things end: the token, and the credentials that were given for it
    assert [each["request_id"] for each in records] == [f"req-{number}" for number in numbers]
    assert {(each["actor"], each["address"]) for each in records} == {("operator", "127.0.0.1")}

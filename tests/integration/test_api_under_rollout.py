"""Configs under a rollout over HTTP: what is written over one, what previews and schemas see of it, what it refers to."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from control_plane.domain.change import Committed, Draft, Op, Operation
from control_plane.domain.errors import InvalidError, UnfitError
from control_plane.domain.staging import Staged
from control_plane.domain.transition import Transition
from shared.domain.codec import canonical
from shared.domain.entry import Kind
from shared.domain.scope import Scope
from tests.rig.api import Api, serving_api
from tests.store import OLGA

PROD = Scope("shop", "prod")
SEGMENT = {"when": {"attribute": "country", "op": "in", "values": ["SE"]}}


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        await api.register("shop", "dev")
        yield api


def exposure(rollout: UUID, candidate: Any, *, of: str = "value", **more: Any) -> bytes:
    return canonical(
        {
            "schema": 1,
            "id": str(rollout),
            "strategy": "percentage",
            "phase": "progressing",
            "step": 0,
            "kind": of,
            "candidate": candidate,
            "salt": "s",
            "unit": "targetingKey",
            "bucketing": "trimtab",
            "weights": [[0, 10_000]],
            **more,
        }
    )


async def start(
    api: Api, candidate: Any, *, key: str = "pool", value: Any = 1, kind: Kind = Kind.VALUE, **more: Any
) -> tuple[UUID, Committed]:
    """Begin to expose a candidate over a config of shop/prod."""
    rollout = uuid4()
    content = b"" if kind is Kind.INHERIT else canonical(value)
    operation = Operation(Op.ROLLOUT, PROD, key, content, kind=kind, rollout=exposure(rollout, candidate, **more))
    transition = Transition(
        id=rollout,
        expected=0,
        scope=PROD,
        key=key,
        strategy="percentage",
        phase="progressing",
        step=0,
        finished=False,
        action="started",
        document={"step": 0},
        detail={},
    )
    return rollout, await api.services.publishing.commit(
        Draft((operation,), OLGA, transition=transition, staged=Staged("percentage"))
    )


def put(key: str, value: Any, environment: str | None = "prod", **more: Any) -> Any:
    return {"op": "put", "app_id": "shop", "environment": environment, "key": key, "value": value, **more}


async def made(api: Api, key: str, **content: Any) -> str:
    answer = await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": key, **content})
    assert answer.status == 201, answer.body
    return f"/configs/{answer.document['id']}"


async def test_writing_over_a_rollout_names_it_unless_it_is_forced(api: Api) -> None:
    path = await made(api, "pool", value=1)
    rollout, _ = await start(api, 2)
    match = {"If-Match": "*"}
    for answer in (
        await api.put(path, {"value": 3}, headers=match),
        await api.delete(path, headers=match),
        await api.post("/changes", {"operations": [put("pool", 3)]}),
    ):
        assert answer.status == 409
        assert answer.document["type"].endswith("/rollout-running")
        (named,) = answer.document["rollouts"]
        assert (named["id"], named["key"], named["scope"]) == (str(rollout), "pool", "env.shop.prod")
        assert named["pointer"] in {"/key", "/operations/0/key"}
        assert "force" in answer.document["hint"]
    forced = await api.put(path, {"value": 3, "force": {"reason": "now"}}, headers=match)
    assert forced.status == 200
    assert (await api.get(path)).document["value"] == 3


async def test_a_deletion_by_force_ends_a_rollout(api: Api) -> None:
    path = await made(api, "pool", value=1)
    await start(api, 2)
    assert (await api.delete(f"{path}?force=gone", headers={"If-Match": "*"})).status == 200


async def test_an_import_over_a_rollout_is_refused_in_its_place(api: Api) -> None:
    await made(api, "pool", value=1)
    await start(api, 2)
    document = (await api.get("/export?format=json")).document
    configs = document["apps"]["shop"]["environments"]["prod"]["configs"]
    assert configs == {"pool": {"value": 1}}
    configs["pool"] = {"value": 3}
    answer = await api.post("/import", document)
    assert (answer.status, answer.document["type"].rpartition("/")[2]) == (409, "rollout-running")
    assert answer.document["rollouts"][0]["pointer"] == "/apps/shop/environments/prod/configs/pool"


async def test_a_preview_tells_of_the_rollout_that_it_would_write_over(api: Api) -> None:
    await made(api, "pool", value=1)
    rollout, _ = await start(api, 2)
    body = {"operations": [put("pool", 3)]}
    preview = (await api.post("/changes/preview", body)).document
    assert [each["kind"] for each in preview["obstacles"]] == ["rollout"]
    assert str(rollout) in preview["obstacles"][0]["detail"]
    assert preview["would_commit"] is False
    (difference,) = preview["differences"]["items"]
    assert difference["before"]["rollout"]["candidate"] == 2
    assert (difference["after"]["value"], difference["after"]["rollout"]) == (3, None)
    forced = (await api.post("/changes/preview", body | {"force": {"reason": "now"}})).document
    assert (forced["obstacles"], forced["would_commit"]) == ([], True)


async def test_the_candidate_of_a_secret_is_shown_to_nobody(api: Api) -> None:
    path = await made(api, "password", value="hunter1", sensitive=True)
    await start(api, "hunter2", key="password", value="hunter1")
    answers = [
        await api.post("/changes/preview", {"operations": [put("password", "x")]}),
        await api.put(path, {"value": "x"}, headers={"If-Match": "*"}),
        await api.get(path),
        await api.get(f"{path}/versions"),
        await api.get("/audit"),
    ]
    assert not any(b"hunter" in each.body for each in answers)


async def test_a_change_below_an_entry_that_only_has_a_rollout_is_seen(api: Api) -> None:
    await api.post("/changes", {"operations": [put("pool", 1, None)]})
    await start(api, 2, kind=Kind.INHERIT)
    preview = (await api.post("/changes/preview", {"operations": [put("pool", 5, None)]})).document
    sides = {each["environment"]: each for each in preview["differences"]["items"]}
    assert sides.keys() == {"dev", "prod"}
    after = sides["prod"]["after"]
    assert (after["kind"], after["value"], after["below"]["value"]) == ("inherit", None, 5)
    assert after["rollout"]["candidate"] == 2
    assert preview["without_effect"] == []
    assert (await api.get("/export?format=json")).document["apps"]["shop"]["environments"]["prod"]["configs"] == {}
    past = (await api.get("/effective/shop/prod")).document["items"]
    assert [(each["key"], each["origin"]["value"]) for each in past] == [("pool", 1)]


async def test_a_schema_holds_for_candidates_too(api: Api) -> None:
    await made(api, "pool", value=1)
    await api.post("/schemas", {"app_id": "shop", "pattern": "pool", "schema": {"type": "integer", "maximum": 10}})
    with pytest.raises(UnfitError, match="the candidate") as refused:
        await start(api, 11)
    assert refused.value.violations[0].pointer == "/operations/0/rollout/candidate"
    flag = {"variants": {"a": 3, "b": 12}, "default": "a"}
    with pytest.raises(UnfitError, match="the candidate, variant 'b'"):
        await start(api, flag, of="flag")
    await start(api, 9)
    narrower = {"app_id": "shop", "pattern": "p*", "schema": {"maximum": 8}}
    answer = await api.post("/schemas", narrower)
    assert answer.status == 422
    assert "the candidate" in answer.document["schema_violations"][0]["detail"]


async def test_a_candidate_is_read_as_strictly_as_what_is_written(api: Api) -> None:
    await made(api, "pool", value=1)
    with pytest.raises(InvalidError) as refused:
        await start(api, {"variants": {"a": 1}, "default": "b"}, of="flag")
    assert refused.value.violations[0].pointer == "/operations/0/rollout/candidate/default"
    with pytest.raises(InvalidError, match="is a segment"):
        await start(api, SEGMENT, of="segment")


async def test_what_a_rollout_refers_to_stays(api: Api) -> None:
    await made(api, "pool", value=1)
    audience = {"segment": "nordic"}
    with pytest.raises(InvalidError) as refused:
        await start(api, 2, when=audience)
    assert refused.value.violations[0].pointer == "/operations/0/rollout/when/segment"
    segment = await made(api, "nordic", segment=SEGMENT)
    await start(api, 2, when=audience)
    answer = await api.delete(segment, headers={"If-Match": "*"})
    assert answer.status == 422
    assert "what refers to it: pool" in answer.document["violations"][0]["detail"]
    preview = (await api.post("/changes/preview", {"operations": [put("nordic", 1)]})).status
    assert preview == 422


async def test_a_circle_by_way_of_a_rollout_is_refused(api: Api) -> None:
    await made(api, "pool", value=1)
    await made(api, "gate", flag={"variants": {"a": True}, "default": "a", "rules": [
        {"when": {"config": "pool", "op": "eq", "values": [1]}, "serve": "a"}]})  # fmt: skip
    with pytest.raises(InvalidError, match="pool → gate → pool"):
        await start(api, 2, when={"config": "gate", "op": "eq", "values": [True]})


async def test_the_past_knows_how_far_a_rollout_was(api: Api) -> None:
    path = await made(api, "pool", value=1)
    await start(api, 2, weights=[[0, 100_000]])
    shown = (await api.get(path)).document
    assert (shown["value"], shown["rollout"]["candidate"]) == (1, 2)
    versions = (await api.get(f"{path}/versions")).document["items"]
    assert [(each["op"], each["rollout"] and each["rollout"]["candidate"]) for each in versions] == [
        ("rollout", 2),
        ("put", None),
    ]
    assert (await api.get(f"{path}/difference")).document["differs"] is True
    (pair,) = (await api.get("/compare?left=shop/prod@1&right=shop/prod@2")).document["items"]
    assert (pair["left"]["rollout"], pair["right"]["rollout"]["weights"]) == (None, [[0, 100_000]])
    body = {"app_id": "shop", "environment": "prod", "keys": ["pool"]}
    now = (await api.post("/configs/fetch", body)).document["configs"]["pool"]
    assert (now["value"], now["arm"]) == (2, "candidate")
    for revision, value in ((1, 1), (2, 2)):
        past = (await api.post("/configs/fetch", body | {"revision": revision})).document["configs"]["pool"]
        assert past["value"] == value


async def test_the_past_knows_a_rollout_over_what_is_inherited(api: Api) -> None:
    await api.post("/changes", {"operations": [put("pool", 1, None)]})
    await start(api, 2, kind=Kind.INHERIT, weights=[[0, 100_000]])
    body = {"app_id": "shop", "environment": "prod", "revision": 2}
    assert (await api.post("/configs/fetch", body)).document["configs"]["pool"]["value"] == 2
    (item,) = (await api.get("/effective/shop/prod")).document["items"]
    assert (item["origin"]["value"], item["origin"]["scope"], item["origin"]["rollout"]["candidate"]) == (1, "app", 2)

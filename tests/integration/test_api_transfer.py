"""Export and import over HTTP: the same bytes for the same configs, one change for a document, nothing by accident."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientError

from control_plane.domain.limits import Limits
from control_plane.postgres.pool import open_pool
from control_plane.services.sealing import Sealer
from shared.domain.codec import decode
from shared.domain.scope import Scope
from shared.wire.yaml_reading import read_yaml
from tests.rig.api import Answer, Api, serving_api

SEAL_KEY = b64encode(bytes(range(64))).decode()
LIMITS = Limits(operations=5, import_operations=40)
YAML = {"Content-Type": "application/yaml"}


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url, LIMITS, seal_key=SEAL_KEY) as api:
        yield api


@pytest.fixture
async def other(other_url: str) -> AsyncIterator[Api]:
    async with serving_api(other_url, LIMITS, seal_key=SEAL_KEY) as api:
        yield api


async def fill(api: Api) -> None:
    """Something of everything."""
    await api.post("/apps", {"app_id": "billing", "description": "Takes the money"})
    await api.post("/apps/billing/environments", {"environment": "prod"})
    await api.post("/apps/billing/environments", {"environment": "empty"})
    await api.post("/apps", {"app_id": "a-bare-one"})
    operations = [
        {"op": "put", "key": "log.level", "value": "no"},
        {"op": "put", "app_id": "billing", "key": "db.pool", "value": 20, "description": "Connections",
         "owner": "dba", "labels": {"tier": "1"}},
        {"op": "put", "app_id": "billing", "key": "db.password", "value": "hunter2", "sensitive": True},
        {"op": "put", "app_id": "billing", "environment": "prod", "key": "limits", "value": {"b": [1, {}], "a": None}},
        {"op": "mask", "app_id": "billing", "environment": "prod", "key": "log.level"},
    ]  # fmt: skip
    assert (await api.post("/changes", {"operations": operations})).status == 201


YAML_DOCUMENT = """\
trimtab: 1
revision: 1
global:
  configs:
    log.level:
      value: "no"
apps:
  a-bare-one:
    configs: {}
  billing:
    description: Takes the money
    configs:
      db.password:
        sensitive: true
      db.pool:
        value: 20
        description: Connections
        owner: dba
        labels:
          tier: "1"
    environments:
      empty:
        configs: {}
      prod:
        configs:
          limits:
            value:
              a: null
              b:
                - 1
                - {}
          log.level:
            mask: true
"""


async def exported(api: Api, query: str = "") -> Answer:
    answer = await api.get(f"/export{query}")
    assert answer.status == 200, answer.body
    return answer


async def imported(api: Api, document: Any, **more: Any) -> Answer:
    return await api.post("/import", {**document, **more})


async def document_of(api: Api, query: str = "?format=json") -> Any:
    return (await exported(api, query)).document


async def test_an_export_is_one_readable_document_with_the_same_bytes_each_time(api: Api) -> None:
    await fill(api)
    first = await exported(api)
    assert first.headers["Content-Type"] == "application/yaml; charset=utf-8"
    _, installation, rest = first.body.decode().split("\n", 2)
    assert installation.startswith("installation: ")
    assert f"trimtab: 1\n{rest}" == YAML_DOCUMENT
    assert first.body == (await exported(api)).body
    assert read_yaml(first.body) == await document_of(api)


async def test_an_empty_installation_exports_as_well(api: Api) -> None:
    document = await document_of(api)
    assert (document["global"], document["apps"], document["revision"]) == ({"configs": {}}, {}, 0)
    assert read_yaml((await exported(api)).body) == document


async def test_one_application_is_exported_without_the_global_scope(api: Api) -> None:
    await fill(api)
    document = await document_of(api, "?format=json&app_id=billing")
    assert "global" not in document
    assert list(document["apps"]) == ["billing"]
    assert (await api.get("/export?app_id=nobody")).status == 404


async def test_an_export_is_audited_as_a_reveal_and_shows_no_secret(api: Api, migrated_url: str) -> None:
    await fill(api)
    for query in ("?format=json", "?format=yaml&sensitive=seal&app_id=billing"):
        assert b"hunter2" not in (await exported(api, query)).body
    async with open_pool(migrated_url, 1) as pool:
        found = await pool.fetch(
            "select actor, object, detail from audit_logs where action = 'configs.exported' order by seq"
        )
    assert [(each["actor"], each["object"]) for each in found] == [("operator", "global"), ("operator", "app.billing")]
    assert decode(found[1]["detail"]) == {"app_id": "billing", "sensitive": "seal", "revision": 1}


async def test_a_head_of_an_export_reveals_nothing(api: Api) -> None:
    answer = await api.call("HEAD", "/export")
    assert (answer.status, answer.body) == (200, b"")


async def test_a_sealed_export_has_the_same_bytes_each_time_and_comes_back(api: Api) -> None:
    await fill(api)
    sealed = await exported(api, "?sensitive=seal")
    assert sealed.body == (await exported(api, "?sensitive=seal")).body
    document = await document_of(api, "?format=json&sensitive=seal")
    assert document["apps"]["billing"]["configs"]["db.password"]["sealed"].startswith("v1:")
    await api.post("/changes", {"operations": [{"op": "delete", "app_id": "billing", "key": "db.password"}]})
    again = await imported(api, document, on_conflict="overwrite")
    assert (again.status, again.document["counts"]["created"]) == (201, 1)
    assert await document_of(api, "?format=json&sensitive=seal") == document | {"revision": 3}


async def test_a_sealed_value_opens_only_at_its_own_place_and_with_its_key(api: Api) -> None:
    await fill(api)
    document = await document_of(api, "?format=json&sensitive=seal")
    configs = document["apps"]["billing"]["configs"]
    configs["stolen"] = configs.pop("db.password")
    refused = await imported(api, document)
    assert refused.status == 422
    assert refused.pointers == ["/apps/billing/configs/stolen/sealed"]
    configs["stolen"]["sealed"] = Sealer(bytes(64)).seal(Scope("billing"), "stolen", b'"x"')
    assert "another key" in (await imported(api, document)).document["violations"][0]["detail"]


async def test_without_a_seal_key_nothing_is_sealed(migrated_url: str) -> None:
    async with serving_api(migrated_url) as api:
        refused = await api.get("/export?sensitive=seal")
        assert (refused.status, refused.pointers) == (422, ["?sensitive"])


async def test_an_import_into_an_empty_installation_makes_the_same_there(api: Api, other: Api) -> None:
    await fill(api)
    document = await document_of(api, "?format=json&sensitive=seal")
    tried = await imported(other, document, create_missing=True, dry_run=True)
    assert (tried.status, len(tried.document["registered"])) == (200, 4)
    assert (await document_of(other))["apps"] == {}
    done = await imported(other, document, create_missing=True, message="from the other one")
    assert (done.status, done.headers["Location"]) == (201, "/api/v1/changes/1")
    assert done.document["counts"] == {
        "created": 5, "updated": 0, "deleted": 0, "kept": 0, "missing": 0, "conflict": 0, "unchanged": 0
    }  # fmt: skip
    copy = await document_of(other, "?format=json&sensitive=seal")
    assert copy == document | {"installation": copy["installation"]}


async def test_a_yaml_export_can_be_sent_back_as_it_is(api: Api) -> None:
    await fill(api)
    text = (await exported(api)).body
    again = await api.call("POST", "/import", raw=text, headers=YAML)
    assert (again.status, again.document["counts"]["unchanged"], again.document["change"]) == (200, 5, None)
    edited = text.replace(b"value: 20", b"value: 21") + b"message: more\ndry_run: true\n"
    tried = await api.call("POST", "/import", raw=edited, headers=YAML)
    assert tried.document["outcomes"] == [
        {"effect": "updated", "app_id": "billing", "environment": None, "scope": "app", "key": "db.pool",
         "pointer": "/apps/billing/configs/db.pool", "detail": "", "differs": ["value"]}
    ]  # fmt: skip
    assert tried.document["change"]["dry_run"]


async def test_what_moved_since_the_export_conflicts_unless_somebody_decides(api: Api) -> None:
    await fill(api)
    document = await document_of(api)
    pool = document["apps"]["billing"]["configs"]["db.pool"]
    pool["value"] = 30
    put = {"op": "put", "app_id": "billing", "key": "db.pool", "value": 25}
    await api.post("/changes", {"operations": [put]})
    refused = await imported(api, document)
    assert refused.status == 409
    assert [(each["pointer"], each["differs"]) for each in refused.document["conflicts"]] == [
        ("/apps/billing/configs/db.pool", ["value"])
    ]
    kept = await imported(api, document, on_conflict="keep")
    assert (kept.status, kept.document["counts"]["kept"]) == (200, 1)
    done = await imported(api, document, on_conflict="overwrite")
    assert (done.status, done.document["counts"]["updated"]) == (201, 1)
    assert (await document_of(api))["apps"]["billing"]["configs"]["db.pool"]["value"] == 30


async def test_a_document_from_elsewhere_conflicts_with_whatever_differs(api: Api) -> None:
    await fill(api)
    document = {"trimtab": 1, "global": {"configs": {"log.level": {"value": "debug"}, "new": {"value": 1}}}}
    assert (await imported(api, document)).status == 409
    done = await imported(api, document, on_conflict="keep")
    assert (done.document["counts"]["created"], done.document["counts"]["kept"]) == (1, 1)


async def test_a_deletion_since_the_export_is_not_undone_by_accident(api: Api) -> None:
    await fill(api)
    document = await document_of(api)
    await api.post("/changes", {"operations": [{"op": "delete", "key": "log.level"}]})
    refused = await imported(api, document)
    assert "deleted since" in refused.document["conflicts"][0]["detail"]
    assert (await imported(api, document, on_conflict="overwrite")).document["counts"]["created"] == 1


async def test_an_omitted_secret_keeps_what_is_there_or_is_told_as_missing(api: Api) -> None:
    await fill(api)
    document = {
        "trimtab": 1,
        "apps": {
            "billing": {
                "configs": {
                    "db.password": {"sensitive": True, "description": "Of the database"},
                    "other": {"sensitive": True},
                }
            }
        },
    }
    done = await imported(api, document, on_conflict="overwrite")
    assert done.status == 201
    assert [(each["effect"], each["key"], each["differs"]) for each in done.document["outcomes"]] == [
        ("updated", "db.password", ["description"]),
        ("missing", "other", []),
    ]
    assert b"hunter2" not in done.body
    sealed = await document_of(api, "?format=json&sensitive=seal")
    seal = sealed["apps"]["billing"]["configs"]["db.password"]["sealed"]
    assert Sealer(bytes(range(64))).open(Scope("billing"), "db.password", seal) == b'"hunter2"'


async def test_pruning_deletes_only_in_scopes_whose_configs_are_given(api: Api) -> None:
    await fill(api)
    document = await document_of(api)
    del document["apps"]["billing"]["configs"]["db.pool"]
    del document["apps"]["billing"]["environments"]["prod"]["configs"]["log.level"]
    del document["global"]
    assert (await imported(api, document)).document["counts"]["deleted"] == 0
    tried = await imported(api, document, prune=True, dry_run=True)
    assert tried.document["counts"]["deleted"] == 2
    assert [each["op"] for each in tried.document["change"]["operations"]] == ["delete", "unmask"]
    assert (await imported(api, document, prune=True)).status == 201
    left = await document_of(api)
    assert left["apps"] == document["apps"]
    assert left["global"]["configs"] == {"log.level": {"value": "no"}}


async def test_pruning_spares_what_was_made_since_the_export(api: Api) -> None:
    await fill(api)
    document = await document_of(api)
    await api.post("/changes", {"operations": [{"op": "put", "key": "new", "value": 1}]})
    refused = await imported(api, document, prune=True)
    assert (refused.status, refused.document["conflicts"][0]["key"]) == (409, "new")


async def test_unknown_applications_are_registered_only_if_asked_to(api: Api) -> None:
    document = {"trimtab": 1, "apps": {"shop": {"environments": {"prod": {"configs": {"a": {"value": 1}}}}}}}
    refused = await imported(api, document)
    assert (refused.status, refused.pointers) == (422, ["/apps/shop", "/apps/shop/environments/prod"])
    assert (await imported(api, document, create_missing=True)).status == 201
    assert (await imported(api, document, create_missing=True)).document["counts"]["unchanged"] == 1


async def test_an_import_may_be_larger_than_other_changes_up_to_its_own_limit(api: Api) -> None:
    def document(count: int) -> Any:
        return {"trimtab": 1, "global": {"configs": {f"k{number}": {"value": number} for number in range(count)}}}

    refused = await imported(api, document(41))
    assert (refused.status, refused.document["limit"]) == (413, "import_operations")
    done = await imported(api, document(40))
    assert (done.status, len(done.document["change"]["operations"])) == (201, 40)
    assert done.document["change"]["revision"] == 1


async def test_the_same_import_sent_twice_is_done_once(api: Api) -> None:
    document = {"trimtab": 1, "global": {"configs": {"a": {"value": 1}}}}
    first = await api.post("/import", document, headers={"Idempotency-Key": "one"})
    again = await api.post("/import", document, headers={"Idempotency-Key": "one"})
    assert (first.status, again.status, again.document) == (201, 201, first.document)
    assert again.headers["Idempotency-Replayed"] == "true"
    tried = await api.post("/import", {**document, "dry_run": True}, headers={"Idempotency-Key": "two"})
    assert tried.status == 200


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({}, "/global/configs/a"),
        ({"value": 1, "mask": True}, "/global/configs/a"),
        ({"value": 1, "colour": "red"}, "/global/configs/a/colour"),
        ({"mask": False}, "/global/configs/a/mask"),
        ({"sealed": "v1:00000000:AAAA", "sensitive": False}, "/global/configs/a"),
        ({"sealed": "v1:00000000:AAAA", "sensitive": True}, "/global/configs/a/sealed"),
        ({"value": {"a": "\0"}}, "/global/configs/a/value"),
        (None, "/global/configs/a"),
    ],
)
async def test_what_is_wrong_is_pointed_at_in_the_document(api: Api, config: Any, pointer: str) -> None:
    refused = await imported(api, {"trimtab": 1, "global": {"configs": {"a": config}}})
    assert (refused.status, refused.pointers) == (422, [pointer])


async def test_a_yaml_that_is_refused_says_where(api: Api) -> None:
    refused = await api.call("POST", "/import", raw=b"trimtab: 1\napps: &a {}\n", headers=YAML)
    assert (refused.status, refused.document["detail"]) == (400, "line 2, column 7: anchors are not read")
    refused = await api.call("POST", "/changes", raw=b"trimtab: 1", headers=YAML)
    assert refused.status == 415


async def test_an_export_that_breaks_off_is_seen_to_be_broken(api: Api, migrated_url: str) -> None:
    for first in range(0, 100, 4):
        configs = {f"k{number}": {"value": "x" * 200_000} for number in range(first, first + 4)}
        assert (await imported(api, {"trimtab": 1, "global": {"configs": configs}})).status == 201
    headers = {"Authorization": f"Bearer {api.operator}"}
    async with (
        open_pool(migrated_url, 1) as pool,
        api.session.get(f"{api.url}/api/v1/export", headers=headers) as answer,
    ):
        assert await answer.content.read(1_000)
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'"
        assert await pool.fetch(ended)
        with pytest.raises(ClientError):
            await answer.read()


async def test_a_guard_that_refuses_an_import_points_into_the_document(api: Api) -> None:
    await fill(api)
    document = await document_of(api)
    document["apps"]["billing"]["configs"]["db.pool"]["value"] = "twenty"
    refused = await imported(api, document)
    assert refused.status == 409
    assert "/apps/billing/configs/db.pool/value" in [each["pointer"] for each in refused.document["guards"]]
    forced = await imported(api, document, force={"reason": "it is a word now"})
    assert forced.status == 201


async def test_a_large_import_can_wait_for_its_approval(api: Api) -> None:
    document = {"trimtab": 1, "global": {"configs": {f"k{number}": {"value": number} for number in range(20)}}}
    stored = await imported(api, document, mode="submit")
    assert (stored.status, stored.document["counts"]["created"]) == (201, 20)
    assert (await document_of(api))["global"]["configs"] == {}
    path = stored.headers["Location"].removeprefix("/api/v1")
    done = await api.post(f"{path}/commit", {})
    assert done.status in {200, 201}, done.body
    assert len((await document_of(api))["global"]["configs"]) == 20

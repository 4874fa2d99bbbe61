"""The control plane under a role that owns nothing: all of it works, and the record cannot be touched."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from control_plane.api.routes import ROUTES
from control_plane.domain.access.role import Role
from control_plane.postgres.migrate import MigrationError, migrate, require_current
from control_plane.postgres.service_role import add_service_role
from tests.rig.api import serving_api
from tests.rig.good_requests import GOOD, known_names, stay_writable
from tests.rig.roles import TwoRoles, two_roles


@pytest.fixture
async def roles(postgres_url: str) -> AsyncIterator[TwoRoles]:
    async with two_roles(postgres_url) as both:
        await migrate(both.owner)
        await add_service_role(both.owner, both.service_name)
        yield both


async def test_the_whole_api_works_under_the_restricted_role(roles: TwoRoles) -> None:
    await require_current(roles.service)
    async with serving_api(roles.service) as api:
        token = await api.register("shop", "prod")
        vera = await api.key("vera", Role.VIEWER)
        place = {"app_id": "shop", "environment": "prod"}
        operations = [
            {"op": "put", "key": "a", "value": 1, **place},
            {"op": "put", "key": "password", "value": "hunter2", "sensitive": True, **place},
        ]
        made = await api.post("/changes", {"operations": operations}, headers={"Idempotency-Key": "once"})
        assert made.status == 201, made.document
        config = made.document["operations"][0]["id"]
        again = await api.put(f"/configs/{config}", {"value": 2}, headers={"If-Match": '"1"'})
        assert again.status == 200
        assert (await api.delete(f"/configs/{config}", headers={"If-Match": '"2"'})).status == 200
        assert (await api.get("/snapshots/shop/prod", token=token)).status == 200
        assert (await api.post("/apps", {"app_id": "x"}, token=vera)).status == 403
        for path in ("/apps", "/configs", "/changes", "/api-keys", "/audit", f"/configs/{config}/versions", "//readyz"):
            assert (await api.get(path)).status == 200, path
        assert (await api.get("/audit?outcome=denied")).document["items"]
        record = (await api.get("/audit/5")).document
        archived = await api.post("/audit/archive", {"through": 5, "hash": record["hash"]})
        assert archived.status == 201, archived.document
        assert (await api.get("/audit/5")).status == 404
        verified = (await api.get("/audit/verify")).document
        assert (verified["intact"], verified["anchor"]["seq"]) == (True, 5)
        (keyed,) = [
            each["after"]
            for record in (await api.get("/audit?key=password")).document["items"]
            for each in record["detail"]["operations"]
            if each["key"] == "password"
        ]
        assert len(keyed["digest"]) == 64


async def test_no_operation_of_the_api_lacks_a_right(roles: TwoRoles) -> None:
    last = {"delete_environment": "?confirm=shop/prod&force=true", "delete_app": "?confirm=shop&force=true"}
    names = {
        "app": "shop",
        "environment": "prod",
        "name": "before",
        "version": "1",
        "change": "1",
        "seq": "1",
        "template": "careful",
        "role": "captain",
        "user": "anna",
        "session": "x",
    }
    async with serving_api(roles.service) as api:
        await api.register("shop", "prod")
        await api.post("/configs", {"app_id": "shop", "key": "k", "value": 0})
        await api.post("/policies", GOOD["replace_policy"])
        await api.post("/schemas", GOOD["update_schema"])
        asked = [route for route in ROUTES if not route.streams and "{file}" not in route.path]
        for route in sorted(asked, key=lambda each: list(last).index(each.name) if each.name in last else -1):
            here = names | ({} if route.method == "GET" and "{id}" not in route.path else await known_names(api, route))
            path = "/" + route.path.format(**here) + last.get(route.name, "")
            answer = await api.call(route.method, path, GOOD.get(route.name), headers={"If-Match": "*"})
            assert answer.status < 500, (route.name, answer.body)
            if route.name in last:
                assert answer.status == 200, (route.name, answer.body)
            elif answer.status < 400:
                await stay_writable(api, path, answer)


APPEND_ONLY = {"audit_logs": "actor", "config_versions": "value", "change_scopes": "digest", "audit_anchors": "hash"}
FORBIDDEN = [
    *(
        statement.format(table, column)
        for table, column in APPEND_ONLY.items()
        for statement in (
            "update {0} set {1} = {1}",
            "delete from {0}",
            "truncate {0}",
            "alter table {0} disable trigger all",
            "drop table {0}",
        )
    ),
    "insert into audit_anchors values (1, sha256(''), 1, now(), 'eve')",
    "select * from audit_key",
    "update audit_key set inner_pad = outer_pad",
    "update installation set id = gen_random_uuid()",
    "delete from installation",
    "delete from schema_migrations",
    "insert into service_roles values ('eve')",
    "create table mine (a integer)",
    "create function mine() returns integer language sql as 'select 1'",
    "drop function trimtab_lock()",
    "create or replace function trimtab_scope(app_id text, environment text) returns text language sql as 'select 1::text'",
    "set session_replication_role = replica",
    "truncate configs",
    "alter role current_user superuser",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_the_restricted_role_cannot(roles: TwoRoles, statement: str) -> None:
    connection = await asyncpg.connect(roles.service)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_tables_of_its_own_do_not_mislead_what_runs_with_the_owners_rights(roles: TwoRoles) -> None:
    async with serving_api(roles.service) as api:
        await api.register()
    connection = await asyncpg.connect(roles.service)
    try:
        await connection.execute("create temporary table audit_anchors (seq bigint, hash bytea, count bigint)")
        await connection.execute("insert into pg_temp.audit_anchors values (1000, sha256(''), 1)")
        assert await connection.fetchval("select trimtab_audit_prune(1000)") == 0
    finally:
        await connection.close()


async def test_a_migration_gives_the_rights_anew(roles: TwoRoles) -> None:
    owner = await asyncpg.connect(roles.owner)
    await owner.execute("update schema_functions set checksum = 'of another program'")
    await owner.close()
    await migrate(roles.owner)
    async with serving_api(roles.service) as api:
        await api.register()
        assert (await api.get("/audit/verify")).document["intact"]


async def test_a_role_that_could_do_anything_anyway_is_refused(roles: TwoRoles, postgres_url: str) -> None:
    with pytest.raises(MigrationError, match="no role 'nobody'"):
        await add_service_role(roles.owner, "nobody")
    superuser = await asyncpg.connect(postgres_url)
    name = await superuser.fetchval("select current_user")
    await superuser.close()
    for unbound in (name, roles.service_name.replace("service", "owner")):
        with pytest.raises(MigrationError, match="neither"):
            await add_service_role(roles.owner, unbound)

"""The audit chain over HTTP: exported, verified and archived."""

from collections.abc import AsyncIterator
from csv import DictReader
from io import StringIO
from typing import Any

import aiohttp
import anyio
import asyncpg
import pytest

from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution
from control_plane.domain.audit import Chain, Flaw, Link
from control_plane.services import audit as service
from shared.domain.codec import decode
from tests.audit_chain import REWRITE, hashed, tamper
from tests.rig.api import Api, serving_api

ALICE = Attribution("alice", "192.0.2.1", "req-1")


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as api:
        yield api


async def _fill(api: Api, count: int = 8) -> None:
    for number in range(count):
        await api.services.audit.record(ALICE, "thing.seen", f"thing:{number}", {"text": "ä\n\u2028", "number": number})


async def _export(api: Api, query: str = "") -> list[bytes]:
    answer = await api.get(f"/audit/export?{query}")
    assert answer.status == 200, answer.body
    return answer.body.splitlines()


async def _verify(api: Api, query: str = "") -> Any:
    return (await api.get(f"/audit/verify?{query}")).document


async def test_every_line_of_an_export_can_be_checked_by_taking_off_its_last_162_bytes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LINES", 3)
    await api.register()
    await _fill(api)
    lines = await _export(api)
    records = [decode(line) for line in lines]
    assert [each["seq"] for each in records] == list(range(1, len(lines) + 1))
    assert [hashed(line) for line in lines] == [each["hash"] for each in records]
    found = await _verify(api)
    chain = Chain(Link.first(found["installation"]))
    assert [chain.follow(line) for line in lines] == [None] * len(lines)
    assert (await api.get(f"/audit/{records[3]['seq']}")).document["detail"] == records[3]["detail"]


async def test_an_export_is_itself_recorded_with_what_was_asked_for(api: Api) -> None:
    await _fill(api, 3)
    assert len(await _export(api, "action=thing&after=1&through=3&format=ndjson")) == 2
    record = (await api.get("/audit?action=audit.exported")).document["items"][0]
    assert record["detail"] == {"after": 1, "through": 3, "format": "ndjson", "filter": {"action": "thing"}}
    await api.call("HEAD", "/audit/export")
    assert len((await api.get("/audit?action=audit.exported")).document["items"]) == 1


async def test_a_filtered_export_holds_what_a_list_finds(api: Api) -> None:
    await api.register()
    await api.register("other", "dev")
    await _fill(api, 3)
    for query in ("app_id=shop", "actor=alice", "object=thing:1", "action=app.", "until=2000-01-01T00:00:00Z"):
        listed = (await api.get(f"/audit?{query}")).document["items"]
        exported = [decode(line) for line in await _export(api, query)]
        assert [each["seq"] for each in reversed(exported)] == [each["seq"] for each in listed], query


async def test_a_spreadsheet_runs_nothing_of_what_strangers_wrote(api: Api) -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", 'a"b,c\nd'):
        by = Attribution("mallory", "192.0.2.1", "req", user_agent=text)
        await api.services.audit.record(by, "thing.seen", "thing", {"text": text})
    answer = await api.get("/audit/export?format=csv&actor=mallory")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(DictReader(StringIO(answer.body.decode(), newline="")))
    assert [row["user_agent"] for row in rows] == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", 'a"b,c\nd']
    assert decode(rows[5]["detail"]) == {"text": 'a"b,c\nd'}
    assert [int(row["seq"]) for row in rows] == list(range(int(rows[0]["seq"]), int(rows[0]["seq"]) + 6))


async def test_a_chain_is_verified_in_as_many_requests_as_it_takes(api: Api) -> None:
    await _fill(api, 10)
    whole = await _verify(api)
    assert (whole["intact"], whole["complete"], whole["broken"]) == (True, True, None)
    assert whole["verified"] == whole["head"]
    checked, after = 0, ""
    for _ in range(20):
        found = await _verify(api, f"limit=3{after}")
        assert found["intact"]
        checked += found["checked"]
        if found["complete"]:
            break
        after = f"&after={found['verified']['seq']}&hash={found['verified']['hash']}"
    assert checked == whole["head"]["seq"]
    wrong = await _verify(api, f"after=3&hash={'0' * 64}")
    assert wrong["broken"]["seq"] == 4
    assert (await api.get(f"/audit/verify?hash={'0' * 64}")).pointers == ["?hash"]


ADDED = """
    select seq + 1, at, 'eve', action, revision, address, request_id, detail, hash, hash
    from audit_logs order by seq desc limit 1
"""
TAMPERING = {
    "altered": (["update audit_logs set actor = 'eve' where seq = 4"], 4, Flaw.ALTERED),
    "altered in its detail": (["update audit_logs set detail = detail || '{\"x\": 1}' where seq = 4"], 4, Flaw.ALTERED),
    "altered in its outcome": (["update audit_logs set outcome = null where seq = 4"], 4, Flaw.ALTERED),
    "altered with a new hash": (
        [
            "update audit_logs set actor = 'eve' where seq = 4",
            "update audit_logs as r set hash = trimtab_audit_hash(r) where seq = 4",
        ],
        5,
        Flaw.UNLINKED,
    ),
    "one deleted": (["delete from audit_logs where seq = 4"], 4, Flaw.MISSING),
    "the first deleted": (["delete from audit_logs where seq = 1"], 1, Flaw.MISSING),
    "the end deleted": (["delete from audit_logs where seq >= 7"], 7, Flaw.TRUNCATED),
    "all deleted": (["delete from audit_logs"], 1, Flaw.TRUNCATED),
    "two in each other's place": (
        [
            "update audit_logs set seq = 1000 where seq = 4",
            "update audit_logs set seq = 4 where seq = 5",
            "update audit_logs set seq = 5 where seq = 1000",
        ],
        4,
        Flaw.UNLINKED,
    ),
    "one put in": (
        [
            "update audit_logs set seq = seq + 1000 where seq > 4",
            "update audit_logs set seq = seq - 999 where seq > 1000",
            """insert into audit_logs select 5, at, 'eve', action, revision, address, request_id, detail, hash, hash, role,
            user_agent, source, object, outcome from audit_logs where seq = 4""",
            "update audit_logs as r set hash = trimtab_audit_hash(r) where seq = 5",
        ],
        6,
        Flaw.UNLINKED,
    ),
    "one added": (
        ["insert into audit_logs " + ADDED],
        9,
        Flaw.MISPLACED,
    ),
    "the rest written anew": (
        ["update audit_logs set actor = 'eve' where seq = 4", REWRITE.format(seq=4)],
        8,
        Flaw.REWRITTEN,
    ),
    "the head moved back": (["update installation set audit_seq = audit_seq - 1"], 7, Flaw.REWRITTEN),
    "the head of another chain": (["update installation set audit_hash = sha256('x')"], 8, Flaw.REWRITTEN),
    "moved to another installation": (["update installation set id = gen_random_uuid()"], 1, Flaw.UNLINKED),
}


@pytest.mark.parametrize("kind", TAMPERING)
async def test_each_kind_of_tampering_is_found_at_the_first_record_that_is_wrong(
    api: Api, migrated_url: str, kind: str
) -> None:
    await _fill(api, 7)
    assert (await _verify(api))["head"]["seq"] == 8
    statements, seq, flaw = TAMPERING[kind]
    await tamper(migrated_url, *statements)
    found = await _verify(api)
    assert not found["intact"]
    assert (found["broken"]["seq"], found["broken"]["flaw"]) == (seq, flaw)


async def test_what_is_archived_is_taken_away_and_the_chain_goes_on_from_its_anchor(api: Api) -> None:
    await _fill(api, 8)
    old = await _export(api, "through=5")
    last = decode(old[-1])
    done = await api.post("/audit/archive", {"through": 5, "hash": last["hash"]})
    assert done.status == 201
    assert (done.document["seq"], done.document["count"], done.document["archived_by"]) == (5, 5, "operator")
    found = await _verify(api)
    assert found["intact"]
    assert found["anchor"] == {"seq": 5, "hash": last["hash"]}
    assert (await api.get("/audit/5")).status == 404
    assert (await api.get("/audit?action=audit.archived")).document["items"][0]["detail"] == {
        "through": 5,
        "hash": last["hash"],
        "after": 0,
        "count": 5,
    }
    assert (await api.get("/audit/anchors")).document["items"] == [done.document]
    rest = await _export(api)
    chain = Chain(Link.first(found["installation"]))
    assert [chain.follow(line) for line in (*old, *rest)] == [None] * (len(old) + len(rest))
    refused = await api.get("/audit/export?after=2")
    assert (refused.status, refused.pointers) == (422, ["?after"])
    await _archive_the_rest(api)


async def _archive_the_rest(api: Api) -> None:
    """The next archive begins at the anchor, and the list ends there."""
    items = (await api.get("/audit?limit=3")).document
    assert items["items"][0]["seq"] > 5
    head = (await _verify(api))["head"]
    record = (await api.get(f"/audit/{head['seq']}")).document
    again = await api.post("/audit/archive", {"through": head["seq"], "hash": record["hash"]})
    assert again.document["count"] == head["seq"] - 5
    assert (await _verify(api))["intact"]


async def test_nobody_archives_what_he_does_not_have(api: Api, migrated_url: str) -> None:
    await _fill(api, 8)
    wrong = await api.post("/audit/archive", {"through": 5, "hash": "0" * 64})
    assert (wrong.status, wrong.document["seq"]) == (409, 5)
    assert (await api.post("/audit/archive", {"through": 500, "hash": "0" * 64})).status == 404
    assert (await api.post("/audit/archive", {"through": 5, "hash": "nonsense"})).status == 422
    hash_ = (await api.get("/audit/5")).document["hash"]
    auditor = await api.key("anna", Role.AUDITOR)
    assert (await api.post("/audit/archive", {"through": 5, "hash": hash_}, token=auditor)).status == 403
    await tamper(migrated_url, "delete from audit_logs where seq = 3")
    gap = await api.post("/audit/archive", {"through": 5, "hash": hash_})
    assert (gap.status, gap.document["missing"]) == (409, 1)


async def test_records_go_only_where_an_anchor_stands_for_them(api: Api, migrated_url: str) -> None:
    await _fill(api, 8)
    hash_ = (await api.get("/audit/5")).document["hash"]
    await api.post("/audit/archive", {"through": 5, "hash": hash_})
    connection = await asyncpg.connect(migrated_url)
    for statement in (
        "delete from audit_logs where seq = 6",
        "delete from audit_logs",
        "update audit_logs set actor = 'eve'",
        "truncate audit_logs",
        "delete from audit_anchors",
        "update audit_anchors set seq = 100",
        "truncate audit_anchors",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_a_reader_who_leaves_ends_the_export(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LINES", 20)
    for _ in range(60):
        await api.services.audit.record(ALICE, "thing.seen", "thing", {"text": "x" * 20_000})
    asked = 0
    lines = api.services.audit._log.lines

    async def count(*arguments: Any, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        return await lines(*arguments, **more)

    monkeypatch.setattr(api.services.audit._log, "lines", count)
    headers = {"Authorization": f"Bearer {api.operator}"}
    async with aiohttp.ClientSession() as session:
        response = await session.get(f"{api.url}/api/v1/audit/export", headers=headers)
        await response.content.readany()
        response.close()
    with anyio.fail_after(10):
        while asked == 0:
            await anyio.sleep(0.01)
    assert (await api.get("/audit?limit=1")).status == 200


async def test_an_export_that_cannot_go_on_is_not_taken_for_a_whole_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LINES", 2)
    await _fill(api, 8)
    lines = api.services.audit._log.lines

    async def fail(where: Any, after: int, *more: Any, **named: Any) -> Any:
        if after >= 4:
            msg = "the test breaks it"
            raise RuntimeError(msg)
        return await lines(where, after, *more, **named)

    monkeypatch.setattr(api.services.audit._log, "lines", fail)
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.get("/audit/export")

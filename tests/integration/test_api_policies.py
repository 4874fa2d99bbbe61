"""What policies ask of changes over HTTP: approvals, roles, reasons, windows; and how to break the glass."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.rig.api import serving_api
from tests.rig.people import CLOCK, People, problem, soon


@pytest.fixture
async def people(migrated_url: str) -> AsyncIterator[People]:
    async with serving_api(migrated_url) as api:
        yield await People.at(api)


async def test_a_change_that_needs_approval_is_not_committed_at_once(people: People) -> None:
    await people.policy(required_approvals=1)
    refused = await people.propose("pam", mode="commit")
    assert (refused.status, problem(refused), refused.document["required_approvals"]) == (409, "approval-required", 1)
    assert "submit" in refused.document["hint"]
    single = {"app_id": "shop", "environment": "prod", "key": "a", "value": 1}
    assert problem(await people.post("pam", "/configs", single)) == "approval-required"
    single["environment"] = None
    assert problem(await people.post("pam", "/configs", single)) == "approval-required"  # it reaches prod
    other = {"app_id": "shop", "environment": "dev", "key": "a", "value": 1}
    await people.api.post("/apps/shop/environments", {"environment": "dev"})
    made = await people.post("pam", "/configs", other)
    assert made.status == 201
    path = f"/configs/{made.document['id']}"
    await people.api.post("/policies", {"name": "dev", "pattern": "shop/dev", "required_approvals": 1})
    headers, token = {"If-Match": '"1"'}, people.tokens["pam"]
    assert problem(await people.api.put(path, {"value": 2}, headers=headers, token=token)) == "approval-required"
    assert problem(await people.api.delete(path, headers=headers, token=token)) == "approval-required"


async def test_a_preview_names_all_that_policies_want_and_the_change_does_not_have_now(people: People) -> None:
    body = {"operations": [{"op": "put", "app_id": "shop", "environment": "prod", "key": "a", "value": 1}]}
    plain = (await people.post("pam", "/changes/preview", body)).document
    assert (plain["would_commit"], plain["obstacles"]) == (True, [])
    next_month = CLOCK.now().month % 12 + 1
    soon = {"schedule": f"0 0 1 {next_month} *", "duration": 60, "time_zone": "UTC"}
    made = await people.policy(required_approvals=1, allowed_roles=["admin"], require_reason=True, windows=[soon])
    assert made.status == 201, made.body
    seen = (await people.post("pam", "/changes/preview", body)).document
    assert not seen["would_commit"]
    assert [each["kind"] for each in seen["obstacles"]] == ["role", "approvals", "window"]
    seen = (await people.post("ada", "/changes/preview", body)).document
    assert [each["kind"] for each in seen["obstacles"]] == ["reason", "approvals", "window"]
    broken = body | {"message": "now", "break_glass": {"reason": "fire"}}
    seen = (await people.post("ada", "/changes/preview", broken)).document
    assert (seen["would_commit"], seen["obstacles"]) == (True, [])


async def test_nobody_approves_what_they_wrote_a_part_of(people: People) -> None:
    await people.policy(required_approvals=1, approver_roles=["approver", "admin"])
    change = (await people.propose("ada")).document["id"]
    assert (await people.act("ada", change, "approve")).status == 403
    assert (await people.act("ada", change, "reject")).status == 403
    assert (await people.act("vic", change, "approve")).status == 403
    mine = (await people.propose("pam", "b")).document["id"]
    edited = await people.edit("ada", mine, 1, message="better")
    assert (edited.status, edited.document["life"]["writers"]) == (200, ["pam", "ada"])
    assert (await people.act("ada", mine, "approve")).status == 403
    operators = await people.act("", mine, "approve")  # a role that this policy does not let approve
    assert (operators.status, "approver" in operators.document["detail"]) == (403, True)
    assert (await people.act("ann", mine, "approve")).status == 200


async def test_an_import_can_wait_for_approval_as_well(people: People) -> None:
    document = {"trimtab": 1, "apps": {"shop": {"environments": {"prod": {"configs": {"a": {"value": 1}}}}}}}
    assert (await people.post("ed", "/import", document)).status == 403
    waiting = await people.post("ed", "/import", document | {"mode": "submit", "message": "all of it"})
    assert (waiting.status, waiting.document["change"]["state"]) == (201, "pending")
    assert await people.value() is None
    assert (await people.act("pam", waiting.document["change"]["id"], "commit")).status == 200
    assert await people.value() == 1


async def test_a_policy_allows_roles_and_wants_a_reason(people: People) -> None:
    await people.policy(allowed_roles=["admin"], require_reason=True)
    refused = await people.propose("pam", mode="commit")
    assert (refused.status, "prod" in refused.document["detail"]) == (403, True)
    assert (await people.propose("pam")).status == 403
    mute = await people.propose("ada", message=" ")
    assert (mute.status, mute.pointers) == (422, ["/message"])
    assert (await people.propose("ada", mode="commit", message="a reason")).status == 201


async def test_windows_say_when(people: People) -> None:
    now = CLOCK.now() + timedelta(hours=3)
    window = {"schedule": f"{now.minute} {now.hour} * * *", "duration": 60, "time_zone": "UTC"}
    policy = await people.policy(windows=[window])
    assert (policy.document["is_open"], policy.document["next_opening"][:16]) == (False, now.isoformat()[:16])
    refused = await people.propose("pam", mode="commit")
    assert (refused.status, problem(refused), refused.document["policies"]) == (409, "window-closed", ["prod"])
    opening = refused.document["next_opening"]
    assert opening[:16] == now.isoformat()[:16]
    assert (await people.propose("pam", scheduled_at=soon(hours=1))).status == 409
    scheduled = await people.propose("pam", scheduled_at=opening)
    assert (scheduled.status, scheduled.document["state"]) == (201, "scheduled")
    waiting = await people.propose("pam", "b")
    assert problem(await people.act("pam", waiting.document["id"], "commit")) == "window-closed"
    later = await people.act("pam", waiting.document["id"], "schedule", scheduled_at=opening)
    assert later.document["state"] == "scheduled"


async def test_broken_glass_is_reviewed_by_a_second_person(people: People) -> None:
    await people.policy(required_approvals=2)
    why = {"reason": "the shop is down"}
    assert (await people.propose("pam", mode="commit", break_glass=why)).status == 403
    broken = await people.propose("ada", mode="commit", break_glass=why)
    assert broken.status == 201
    stored = (await people.propose("pam", "b")).document["id"]
    assert (await people.act("pam", stored, "commit", break_glass=why)).status == 403
    assert (await people.act("ada", stored, "commit", break_glass=why)).status == 200
    reviews = (await people.api.get("/reviews?state=open")).document["items"]
    assert [(each["revision"], each["opened_by"], each["policies"]) for each in reviews] == [
        (2, "ada", ["prod"]),
        (1, "ada", ["prod"]),
    ]
    path = f"/reviews/{reviews[0]['id']}/close"
    assert (await people.post("ada", path)).status == 403
    closed = await people.post("ann", path, {"comment": "all right"})
    assert (closed.status, closed.document["state"], closed.document["closed_by"]) == (200, "closed", "ann")
    assert (await people.post("abe", path)).status == 409
    assert len((await people.api.get("/reviews?state=open")).document["items"]) == 1
    assert (await people.show(stored))["life"]["break_glass"] == "the shop is down"
    records = (await people.api.get("/audit?action=change.glass_broken")).document["items"]
    assert [each["actor"] for each in records] == ["ada", "ada"]
    assert (await people.api.get("/audit/verify")).document["intact"]


async def test_policies_are_kept_with_care(people: People) -> None:
    made = await people.policy(required_approvals=1)
    path, headers = f"/policies/{made.document['id']}", {"If-Match": '"1"'}
    assert (made.status, made.headers["ETag"], (await people.api.get(path)).document) == (201, '"1"', made.document)
    assert (await people.policy()).status == 409
    body = {"name": "prod", "pattern": "*/prod", "required_approvals": 2}
    assert (await people.api.put(path, body)).status == 428
    replaced = await people.api.put(path, body, headers=headers)
    assert (replaced.document["required_approvals"], replaced.document["version"]) == (2, 2)
    assert (await people.api.put(path, body, headers=headers)).status == 412
    assert (await people.api.put(path, body, headers={"If-Match": '"2"'}, token=people.tokens["pam"])).status == 403
    assert [each["name"] for each in (await people.api.get("/policies")).document["items"]] == ["prod"]
    refused = await people.policy(name="p2", windows=[{"schedule": "0 0 30 2 *", "duration": 60}], pattern="A")
    assert refused.pointers == ["/pattern", "/windows/0/schedule"]
    assert (await people.api.delete(path, headers={"If-Match": '"2"'})).status == 204
    assert (await people.api.get(path)).status == 404
    assert (await people.propose("pam", mode="commit")).status == 201
    records = (await people.api.get("/audit?limit=100")).document["items"]
    assert {"policy.created", "policy.updated", "policy.deleted"} <= {each["action"] for each in records}

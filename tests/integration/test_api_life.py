"""The life of a change over HTTP: submitted, approved, scheduled, committed, or ended otherwise."""

from collections.abc import AsyncIterator

import pytest

from tests.rig.api import serving_api
from tests.rig.people import People, problem, soon


@pytest.fixture
async def people(migrated_url: str) -> AsyncIterator[People]:
    async with serving_api(migrated_url) as api:
        yield await People.at(api)


async def test_a_change_is_submitted_approved_and_committed(people: People) -> None:
    await people.policy(required_approvals=1)
    made = await people.propose("pam", labels={"ticket": "OPS-7"})
    assert (made.status, made.document["state"], made.document["revision"]) == (201, "pending", None)
    change = made.document["id"]
    assert made.headers["Location"] == f"/api/v1/changes/{change}"
    early = await people.act("pam", change, "commit")
    assert (early.status, problem(early), early.document["policies"]) == (409, "approval-required", ["prod"])
    approved = await people.act("ann", change, "approve", comment="fine")
    assert (approved.status, approved.document["state"], approved.document["life"]["ready"]) == (200, "pending", True)
    assert await people.value() is None
    committed = await people.act("pam", change, "commit")
    assert (committed.status, committed.document["revision"], committed.document["state"]) == (200, 1, "committed")
    assert await people.value() == 1
    found = await people.show("1")
    assert (found["id"], found["author"], found["labels"]) == (change, "pam", {"ticket": "OPS-7"})
    assert [each["principal"] for each in found["life"]["approvals"]] == ["ann"]
    assert await people.show(change) == found


async def test_an_edit_resets_the_approvals(people: People) -> None:
    await people.policy(required_approvals=2)
    change = (await people.propose("pam", scheduled_at=soon())).document["id"]
    await people.act("ann", change, "approve")
    assert (await people.act("abe", change, "approve")).document["state"] == "scheduled"
    operation = {"op": "put", "app_id": "shop", "environment": "prod", "key": "a", "value": 2}
    edited = await people.edit("pam", change, 1, operations=[operation])
    assert (edited.document["state"], edited.headers["ETag"]) == ("pending", '"2"')
    assert (edited.document["life"]["counted"], edited.document["life"]["edition"]) == ([], 2)
    assert [each["edition"] for each in edited.document["life"]["approvals"]] == [1, 1]
    stale = await people.act("ann", change, "approve", edition=1)
    assert (stale.status, stale.document["current_version"]) == (412, 2)
    assert (await people.edit("pam", change, 1, message="late")).status == 412
    unguarded = await people.api.call("PATCH", f"/changes/{change}", {"message": "x"})
    assert unguarded.status == 428
    assert (await people.act("ann", change, "approve", edition=2)).document["life"]["counted"] == ["ann"]
    unscheduled = await people.edit("pam", change, 2, scheduled_at=None)
    assert unscheduled.document["life"]["scheduled_at"] is None


async def test_an_illegal_step_names_the_state_and_what_is_legal(people: People) -> None:
    change = (await people.propose("pam", mode="draft")).document["id"]
    refused = await people.act("pam", change, "commit")
    assert (refused.status, refused.document["state"]) == (409, "draft")
    assert refused.document["legal_actions"] == ["edit", "submit", "withdraw"]
    assert (await people.act("ann", change, "approve")).document["state"] == "draft"
    assert (await people.act("pam", change, "submit")).document["state"] == "pending"
    assert (await people.act("pam", change, "commit")).status == 200
    for action, who in (
        ("commit", "pam"),
        ("approve", "ann"),
        ("reject", "ann"),
        ("withdraw", "pam"),
        ("submit", "ed"),
    ):
        done = await people.act(who, change, action)
        assert (done.status, done.document["state"], done.document["legal_actions"]) == (409, "committed", [])
    assert (await people.edit("pam", change, 1, message="x")).document["state"] == "committed"
    later = await people.post("pam", f"/changes/{change}/schedule", {"scheduled_at": soon()})
    assert later.document["state"] == "committed"


async def test_an_end_is_an_end(people: People) -> None:
    await people.policy(required_approvals=1)
    rejected = (await people.propose("pam", scheduled_at=soon())).document["id"]
    await people.act("ann", rejected, "approve")
    answer = await people.act("abe", rejected, "reject", comment="not on a Friday")
    assert answer.document["state"] == "rejected"
    withdrawn = (await people.propose("pam", "b")).document["id"]
    assert (await people.act("peter", withdrawn, "withdraw")).status == 403
    assert (await people.act("pam", withdrawn, "withdraw")).document["state"] == "withdrawn"
    for change in (rejected, withdrawn):
        assert (await people.act("pam", change, "commit")).status == 409
    listed = (await people.api.get("/changes?state=rejected")).document["items"]
    assert [each["id"] for each in listed] == [rejected]


async def test_an_editor_proposes_and_others_commit(people: People) -> None:
    assert (await people.propose("ed", mode="commit")).status == 403
    waiting = (await people.propose("ed", scheduled_at=soon())).document
    assert waiting["state"] == "pending"  # nobody else has had a look at it
    assert (await people.act("ed", waiting["id"], "commit")).status == 403
    assert (await people.act("ann", waiting["id"], "approve")).document["state"] == "scheduled"
    other = (await people.propose("ed", "b")).document["id"]
    assert (await people.act("pam", other, "commit")).status == 200
    assert (await people.propose("vic")).status == 403
    operation = {"op": "put", "app_id": "shop", "key": "c", "value": 1}
    assert (await people.post("ed", "/changes/preview", {"operations": [operation]})).status == 200
    assert (await people.post("ed", "/changes/1/revert")).status == 403
    reverting = await people.post("ed", "/changes/1/revert", {"mode": "submit"})
    assert (reverting.status, reverting.document["state"]) == (201, "pending")
    assert (await people.act("pam", reverting.document["id"], "commit")).status == 200
    assert (await people.show("2"))["reverts"] == 1


async def test_conflicts_of_a_stored_change_show_both_sides(people: People) -> None:
    await people.propose("pam", "a", 1, mode="commit")
    change = (await people.propose("pam", "a", 2, base_revision=1)).document["id"]
    await people.propose("peter", "a", 3, mode="commit")
    late = await people.act("pam", change, "commit")
    (conflict,) = late.document["conflicts"]
    assert (late.status, conflict["current"]["value"], conflict["yours"]["value"]) == (409, 3, 2)
    assert (await people.show(change))["state"] == "pending"
    stale = await people.propose("pam", "a", 4, base_revision=1)
    assert (stale.status, stale.document["conflicts"][0]["key"]) == (409, "a")
    rebased = await people.edit("pam", change, 1, base_revision=2)
    assert rebased.status == 200
    assert (await people.act("pam", change, "commit")).status == 200


async def test_secrets_of_stored_changes_are_shown_to_nobody(people: People) -> None:
    await people.policy(required_approvals=1)
    operations = [
        {"op": "put", "app_id": "shop", "key": "token", "value": "s3cr3t-1", "sensitive": True},
        {"op": "put", "app_id": "shop", "key": "plain", "value": "visible"},
    ]
    made = await people.propose("pam", operations=operations)
    change = made.document["id"]
    assert (await people.act("ann", change, "approve")).status == 200
    assert (await people.act("pam", change, "commit")).status == 200
    hidden = {"op": "put", "app_id": "shop", "key": "token", "value": "s3cr3t-2"}
    second = await people.propose("pam", operations=[hidden])  # what stands there is a secret, so this is one
    answers = [made, second, await people.api.get(f"/changes/{second.document['id']}")]
    answers += [await people.api.get("/changes?state=pending"), await people.api.get(f"/changes/{change}")]
    answers += [await people.edit("pam", second.document["id"], 1, message="again")]
    answers += [await people.api.get("/audit?limit=100")]
    assert not any(b"s3cr3t" in each.body for each in answers)
    shown = (await people.show(second.document["id"]))["life"]["operations"]
    assert [(each["value"], each["sensitive"]) for each in shown] == [(None, True)]
    assert (await people.act("ann", second.document["id"], "approve")).status == 200
    assert (await people.act("pam", second.document["id"], "commit")).status == 200  # nothing was lost by the edit


async def test_approvers_see_what_a_change_would_do(people: People) -> None:
    await people.propose("pam", "a", 1, mode="commit")
    secret = {"op": "put", "app_id": "shop", "key": "token", "value": "s3cr3t", "sensitive": True}
    operation = {"op": "put", "app_id": "shop", "environment": "prod", "key": "a", "value": 2}
    change = (await people.propose("pam", operations=[operation, secret])).document["id"]
    seen = await people.api.get(f"/changes/{change}/preview", token=people.tokens["ann"])
    differences = {each["key"]: each for each in seen.document["differences"]["items"]}
    assert (differences["a"]["before"]["value"], differences["a"]["after"]["value"]) == (1, 2)
    assert ("token" in differences, b"s3cr3t" in seen.body) == (True, False)
    await people.act("pam", change, "commit")
    assert (await people.api.get(f"/changes/{change}/preview")).document["state"] == "committed"


async def test_guards_stand_before_a_submission_until_it_is_forced(people: People) -> None:
    await people.propose("pam", "a", 1, mode="commit")
    change = (await people.propose("pam", "a", "text", mode="draft")).document["id"]
    refused = await people.act("pam", change, "submit")
    assert (refused.status, problem(refused)) == (409, "guarded")
    assert (await people.edit("pam", change, 1, force={"reason": "all readers take texts"})).status == 200
    assert (await people.act("pam", change, "submit")).document["state"] == "pending"
    assert (await people.act("pam", change, "commit")).status == 200
    assert (await people.show(change))["forced"]["guards"] == ["type_change"]


async def test_a_repeated_request_gets_the_first_answer(people: People) -> None:
    headers = {"Idempotency-Key": "k1"}
    operation = {"op": "put", "app_id": "shop", "key": "a", "value": 1}
    body = {"mode": "submit", "operations": [operation], "scheduled_at": soon()}
    first = await people.post("pam", "/changes", body, headers=headers)
    again = await people.post("pam", "/changes", body, headers=headers)
    assert (again.document, again.headers["Idempotency-Replayed"]) == (first.document, "true")
    assert (await people.post("pam", "/changes", body | {"message": "x"}, headers=headers)).status == 409
    path, headers = f"/changes/{first.document['id']}/commit", {"Idempotency-Key": "k2"}
    committed = await people.post("pam", path, {}, headers=headers)
    repeated = await people.post("pam", path, {}, headers=headers)
    assert (committed.status, repeated.document) == (200, committed.document)
    await people.propose("pam", "w", mode="commit")
    direct = {"operations": [operation | {"key": "z"}]}
    done = await people.post("pam", "/changes", direct, headers={"Idempotency-Key": "k3"})
    await people.policy("*/*", required_approvals=1)  # what is refused now was done before
    assert (await people.post("pam", "/changes", direct, headers={"Idempotency-Key": "k3"})).document == done.document


async def test_stored_changes_are_found_by_state_author_label_and_application(people: People) -> None:
    await people.api.register("mail", "dev")
    first = (await people.propose("pam", "a", labels={"ticket": "1"})).document["id"]
    second = (await people.propose("ed", "b", labels={"ticket": "2"})).document["id"]
    other = {"op": "put", "app_id": "mail", "key": "a", "value": 1}
    third = (await people.propose("pam", operations=[other], mode="draft")).document["id"]

    async def found(query: str) -> list[str]:
        return [each["id"] for each in (await people.api.get(f"/changes?{query}")).document["items"]]

    assert await found("state=pending") == [second, first]
    assert await found("state=pending&author=pam") == [first]
    assert await found("state=pending&label=ticket:2") == [second]
    assert await found("state=draft&app_id=mail") == [third]
    assert await found("state=draft&app_id=shop") == []
    page = (await people.api.get("/changes?state=pending&limit=1")).document
    assert await found(f"state=pending&limit=1&cursor={page['next_cursor']}") == [first]
    assert (await people.api.get("/changes?state=nonsense")).pointers == ["?state"]
    assert (await people.api.get("/changes?state=pending&cursor=WzEsMl0")).status == 422
    await people.act("pam", first, "commit")
    assert await found("author=pam") == [first]
    assert await found("author=pam&label=ticket:1&app_id=shop") == [first]
    assert await found("label=ticket:2") == []


async def test_what_is_not_valid_is_not_stored(people: People) -> None:
    for more, pointers in (
        ({"scheduled_at": "2020-01-01T00:00:00Z"}, ["/scheduled_at"]),
        ({"scheduled_at": "2030-01-01T00:00:00"}, ["/scheduled_at"]),
        ({"scheduled_at": soon(days=400)}, ["/scheduled_at"]),
        ({"mode": "commit", "scheduled_at": soon()}, [""]),
        ({"break_glass": {"reason": "x"}}, [""]),
        ({"mode": "commit", "break_glass": {"reason": ""}}, ["/break_glass/reason"]),
        ({"mode": "later"}, ["/mode"]),
    ):
        answer = await people.propose("ada", **more)
        assert (answer.status, answer.pointers) == (422, pointers), more
    missing = {"op": "delete", "app_id": "shop", "key": "never"}
    assert (await people.propose("pam", operations=[missing])).status == 422
    unknown = {"op": "put", "app_id": "nope", "key": "a", "value": 1}
    assert (await people.propose("pam", operations=[unknown])).status == 404
    assert (await people.api.get("/changes?state=pending")).document["items"] == []
    for change in ("00000000-0000-0000-0000-000000000000", "0-0", "x-", "1-2-3"):
        assert (await people.act("pam", change, "commit")).status == 404
        assert (await people.api.get(f"/changes/{change}")).status == 404

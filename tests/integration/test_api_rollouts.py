"""Rollouts through the API: each strategy made, previewed, driven and ended; what is illegal, and what stays secret."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from control_plane.domain.access.principal import agent_of
from control_plane.domain.access.role import Role
from control_plane.domain.attribution import Attribution
from shared.domain.scope import Revisions
from shared.runtime.clock import SystemClock
from shared.wire.report import Report
from tests.rig.api import Answer, Api, serving_api

REPORTER = agent_of("billing", "prod", "rig")
PROD = {"app_id": "shop", "environment": "prod"}
POOL = {**PROD, "key": "pool", "candidate": 40}
CLOCK = SystemClock()
SYSTEM = Attribution("system", source="rollout")  # type: ignore[arg-type]  # a word as good as any
PENDING, ENDED = ["start", "approve", "abort"], []


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as opened:
        await opened.register()
        await opened.post("/configs", {**PROD, "key": "pool", "value": 20})
        await opened.post("/configs", {**PROD, "key": "on", "value": True})
        yield opened


def soon(**away: float) -> str:
    return (CLOCK.now() + timedelta(**away)).isoformat()


async def made(api: Api, **body: Any) -> Any:
    answer = await api.post("/rollouts", POOL | body)
    assert answer.status == 201, answer.document
    return answer.document


async def act(api: Api, rollout: Any, action: str, body: Any = None, **more: Any) -> Answer:
    return await api.post(f"/rollouts/{rollout['id']}/{action}", body or {}, **more)


async def drive(api: Api) -> None:
    """Let happen what happens by itself now."""
    await api.services.acting.driving(api.services.evidences, SYSTEM).look()


async def value(api: Api, key: str = "pool", **context: Any) -> Any:
    fetched = await api.post("/configs/fetch", {**PROD, "keys": [key], "context": context})
    return fetched.document["configs"][key]["value"]


async def report(api: Api, instance: str, **labels: str) -> None:
    said = Report(instance, "shop", "prod", "1", Revisions(0, 0, 0), "live", "sse", labels)
    await api.services.fleet.record(said, "127.0.0.1", REPORTER)


STRATEGIES: dict[str, dict[str, Any]] = {
    "immediate": {},
    "percentage": {"stages": [{"weight": 10_000, "after": "0s"}, {"weight": 100_000, "after": "1h"}]},
    "canary": {"stages": [{"weight": 5_000, "gates": [{"type": "acks"}]}, {"weight": 100_000}]},
    "feature_flag": {"follows": "on"},
    "time_based": {"window": {"start": soon(hours=-1), "end": soon(hours=1), "at_end": "keep"}},
    "user_targeting": {"users": ["alice"], "groups": ["beta"]},
}


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_each_strategy_is_previewed_made_started_and_promoted_to_its_end(api: Api, strategy: str) -> None:
    body = POOL | STRATEGIES[strategy] | {"strategy": strategy}
    contexts = [{"targetingKey": "alice", "groups": []}, {"targetingKey": "bob", "groups": ["beta"]}]
    preview = (await api.post("/rollouts/preview", body | {"contexts": contexts})).document
    assert (preview["would_start"], preview["obstacles"], preview["strategy"]) == (True, [], strategy)
    assert [each["context"] for each in preview["contexts"]] == contexts
    assert preview["seen_in"] == PROD
    created = await made(api, **STRATEGIES[strategy], strategy=strategy)
    assert (created["phase"], created["version"], created["legal_actions"]) == ("pending", 1, PENDING)
    assert (created["candidate"], created["weight"], created["holding"]) == (40, 0, "it waits to be started")
    started = await act(api, created, "start", {"reason": "go"})
    assert (started.status, started.document["phase"], started.headers["ETag"]) == (200, "progressing", '"2"')
    assert await value(api) in {20, 40}
    done = await act(api, created, "promote", {"full": True, "reason": "enough"})
    assert (done.document["phase"], done.document["outcome"], done.document["weight"]) == ("completed", "kept", 100_000)
    assert (done.document["legal_actions"], await value(api)) == ([], 40)
    events = (await api.get(f"/rollouts/{created['id']}/events")).document["items"]
    assert [each["action"] for each in events] == ["promoted", "started", "created"]
    assert (await api.get(f"/rollouts?strategy={strategy}&phase=completed")).document["items"][0]["id"] == created["id"]


async def test_an_immediate_rollout_completes_by_itself(api: Api) -> None:
    started = await made(api, strategy="immediate", start=True)
    assert (started["phase"], started["version"], await value(api)) == ("progressing", 1, 40)
    await drive(api)
    shown = (await api.get(f"/rollouts/{started['id']}")).document
    assert (shown["phase"], shown["outcome"]) == ("completed", "kept")


async def test_a_percentage_tells_its_weights_on_the_clock(api: Api) -> None:
    stages = [
        {"weight": 10_000, "after": "0s", "gates": [{"type": "bake", "seconds": 60}]},
        {"weight": 50_000, "after": "2m"},
        {"weight": 100_000, "after": "1h"},
    ]
    preview = (await api.post("/rollouts/preview", POOL | {"strategy": "percentage", "stages": stages})).document
    first, second, third = (datetime.fromisoformat(each["at"]) for each in preview["plan"])
    assert (second - first, third - first) == (timedelta(minutes=2), timedelta(hours=1))
    assert [(each["step"], each["weight"], each["share"]) for each in preview["plan"]] == [
        (0, 10_000, 0.1),
        (1, 50_000, 0.5),
        (1, 100_000, 1.0),
    ]
    assert [each["gate"]["type"] for each in preview["plan"][0]["gates"]] == ["bake"]
    assert preview["completes"]
    started = await made(api, strategy="percentage", stages=stages, start=True)
    assert [each["state"] for each in started["plan"]] == ["current", "ahead", "ahead"]
    await drive(api)
    waiting = (await api.get(f"/rollouts/{started['id']}")).document
    assert (waiting["phase"], waiting["weight"], waiting["numbers"]["exposed_share"]) == ("waiting", 10_000, 0.1)
    assert "bake" in waiting["holding"]
    assert waiting["plan"][0]["gates"][0]["latest"]["result"] == "inconclusive"
    measured = (await api.get(f"/rollouts/{started['id']}/events")).document["items"]
    assert "measured" in {each["action"] for each in measured}
    told = (await api.get(f"/rollouts/{started['id']}/events?measurements=false")).document["items"]
    assert {each["action"] for each in told} == {"started", "waiting"}


async def test_samples_tell_who_would_get_the_candidate_from_where_on(api: Api) -> None:
    stages = [{"weight": weight, "after": f"{hours}h"} for hours, weight in enumerate([1_000, 20_000, 100_000])]
    contexts = [{"targetingKey": f"u{number}"} for number in range(100)]
    body = POOL | {"strategy": "percentage", "stages": stages, "salt": "s", "contexts": contexts}
    preview = (await api.post("/rollouts/preview", body)).document
    for each in preview["contexts"]:
        expected = next(index for index, stage in enumerate(stages) if each["bucket"] < stage["weight"])
        assert (each["candidate_from"], each["candidate"]) == (expected, [at >= expected for at in range(3)])
    assert {each["candidate_from"] for each in preview["contexts"]} >= {1, 2}
    nobody = (await api.post("/rollouts/preview", body | {"contexts": [{}]})).document["contexts"][0]
    assert (nobody["bucket"], nobody["candidate_from"]) == (None, 2)


async def test_canaries_tell_which_agents_would_be_the_first(api: Api) -> None:
    for number in range(3):
        await report(api, f"i{number}", track="canary" if number == 1 else "stable")
    stages = [{"labels": {"track": "canary"}, "gates": [{"type": "approval"}]}, {"weight": 100_000}]
    preview = (await api.post("/rollouts/preview", POOL | {"strategy": "canary", "stages": stages})).document
    assert [each["agents"] for each in preview["plan"]] == [1, 3]
    assert {each["instance"]: each["candidate_from"] for each in preview["instances"]["items"]} == {
        "i0": 1,
        "i1": 0,
        "i2": 1,
    }
    assert preview["change"]["blast_radius"]["environments"]["total"] == 1
    overridden = POOL | {"environment": None, "strategy": "canary"}
    unseen = (await api.post("/rollouts/preview", overridden)).document
    assert ([each["agents"] for each in unseen["plan"]], unseen["instances"]["total"]) == ([0, 0], 0)
    default = (await api.post("/rollouts/preview", POOL | {"strategy": "canary"})).document
    assert [each["weight"] for each in default["plan"]] == [5_000, 100_000]


async def test_a_second_rollout_of_a_config_is_refused_and_names_the_first(api: Api) -> None:
    waiting = await made(api, strategy="immediate")
    first = await made(api, strategy="feature_flag", follows="on", start=True)
    preview = (await api.post("/rollouts/preview", POOL | {"strategy": "immediate"})).document
    assert (preview["would_start"], preview["beside"]) == (False, first["id"])
    assert first["id"] in preview["obstacles"][-1]["detail"]
    for refused in (
        await act(api, waiting, "start"),
        await api.post("/rollouts", POOL | {"strategy": "immediate", "start": True}),
        await api.post("/rollouts", POOL | {"strategy": "immediate"}),
    ):
        assert refused.status == 409
        assert refused.document["rollouts"][0]["id"] == first["id"]
    assert first["id"] in (await api.get(f"/rollouts/{waiting['id']}")).document["holding"]
    assert len((await api.get("/rollouts?key=pool&phase=pending&phase=progressing")).document["items"]) == 2


ILLEGAL = {
    "pending": ["pause", "resume", "promote"],
    "progressing": ["start", "resume"],
    "paused": ["start", "pause"],
    "aborted": ["start", "pause", "resume", "promote", "abort", "approve"],
    "completed": ["start", "pause", "resume", "promote", "abort", "approve"],
}


@pytest.mark.parametrize("phase", ILLEGAL)
async def test_what_a_phase_does_not_allow_is_refused_with_what_it_does(api: Api, phase: str) -> None:
    rollout = await made(api, strategy="user_targeting", users=["a"], start=phase != "pending")
    ann = await api.key("ann", Role.APPROVER)
    for action in {"paused": ["pause"], "aborted": ["abort"]}.get(phase, []):
        assert (await act(api, rollout, action, {"reason": "x"})).status == 200
    if phase == "completed":
        await act(api, rollout, "promote", {"full": True})
    before = (await api.get(f"/rollouts/{rollout['id']}")).document
    assert before["phase"] == phase
    for action in ILLEGAL[phase]:
        refused = await act(api, rollout, action, token=ann if action == "approve" else "")
        assert (refused.status, refused.document["phase"]) == (409, phase)
        assert refused.document["type"].endswith("/rollout-phase")
        assert refused.document["legal_actions"] == before["legal_actions"]
    assert (await api.get(f"/rollouts/{rollout['id']}")).document["version"] == before["version"]


async def test_actions_are_held_to_the_version_that_was_read(api: Api) -> None:
    rollout = await made(api, strategy="feature_flag", follows="on", start=True)
    stale = await act(api, rollout, "pause", {"version": 7})
    assert (stale.status, stale.document["current_version"]) == (412, 1)
    assert (await act(api, rollout, "pause", headers={"If-Match": '"9"'})).status == 412
    paused = await act(api, rollout, "pause", {"reason": "lunch"}, headers={"If-Match": '"1"'})
    assert (paused.status, paused.document["phase"], paused.document["holding"]) == (
        200,
        "paused",
        "it is paused: lunch",
    )
    resumed = await act(api, rollout, "resume", {"version": 2})
    assert (resumed.status, resumed.headers["ETag"]) == (200, '"3"')
    aborted = await act(api, rollout, "abort", {"reason": "it broke"})
    assert (aborted.document["outcome"], aborted.document["reason"]) == ("withdrawn", "it broke")
    assert (aborted.document["weight"], await value(api)) == (0, 20)


async def test_a_request_that_is_repeated_is_carried_out_once(api: Api) -> None:
    once = {"Idempotency-Key": "k"}
    first = await api.post("/rollouts", POOL | {"strategy": "immediate"}, headers=once)
    again = await api.post("/rollouts", POOL | {"strategy": "immediate"}, headers=once)
    assert (again.status, again.document["id"]) == (201, first.document["id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.headers["Location"] == f"/api/v1/rollouts/{first.document['id']}"
    assert len((await api.get("/rollouts")).document["items"]) == 1


async def test_what_is_wrong_is_told_with_its_place_and_makes_nothing(api: Api) -> None:
    wrong: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["/strategy"]),
        ({"strategy": "immediate", "candidate": 1, "flag": {}}, [""]),
        ({"strategy": "immediate", "speed": 1}, ["/speed"]),
        ({"strategy": "immediate", "start": True, "start_at": soon(hours=1)}, [""]),
        ({"strategy": "immediate", "break_glass": {"reason": "x"}}, [""]),
        ({"strategy": "immediate", "stages": [{"weight": 1}]}, ["/stages"]),
        ({"strategy": "percentage", "stages": [{"weight": 5}, {"weight": 4}]}, ["/stages/1/weight"]),
        ({"strategy": "percentage", "stages": [{"weight": 5, "after": "x"}]}, ["/stages/0/after"]),
        ({"strategy": "percentage", "gates": [{"type": "acks", "share": 7}]}, ["/gates/0/share"]),
        ({"strategy": "feature_flag"}, ["/follows"]),
        ({"strategy": "feature_flag", "follows": "nothing-there"}, ["/follows"]),
        ({"strategy": "feature_flag", "follows": "on", "when": {"segment": "nowhere"}}, ["/when/segment"]),
        ({"strategy": "immediate", "when": {"segment": "nowhere"}}, ["/when/segment"]),
        ({"strategy": "user_targeting"}, ["/users"]),
        ({"strategy": "time_based"}, ["/window/end"]),
        ({"strategy": "immediate", "when": {"attribute": "a", "op": "?", "values": [1]}}, ["/when/op"]),
        ({"strategy": "immediate", "template": "unknown"}, ["/template"]),
        ({"strategy": "immediate", "gates": [{"type": "metric", "query": "up", "op": "eq", "value": 1}]}, None),  # type: ignore[list-item]  # no Prometheus
    ]
    for body, pointers in wrong:
        refused = await api.post("/rollouts", POOL | body)
        assert refused.status == 422, (body, refused.document)
        assert pointers is None or refused.pointers == pointers, body
    unknown = await api.post("/rollouts", POOL | {"app_id": "nobody", "strategy": "immediate"})
    assert unknown.status == 404
    assert (await api.get("/rollouts")).document["items"] == []


async def test_a_candidate_that_no_schema_allows_is_refused_already_when_it_is_made(api: Api) -> None:
    schema = {"app_id": "shop", "pattern": "pool", "schema": {"type": "integer"}}
    assert (await api.post("/schemas", schema)).status == 201
    refused = await api.post("/rollouts", POOL | {"candidate": "many", "strategy": "immediate"})
    assert (refused.status, refused.pointers) == (422, ["/candidate"])
    preview = (await api.post("/rollouts/preview", POOL | {"candidate": "many", "strategy": "immediate"})).document
    assert (preview["would_start"], preview["change"]["schema_violations"]["total"]) == (False, 1)


FLAG = {"variants": {"on": 40, "off": 20}, "default": "off", "rules": [{"serve": "on"}]}


async def test_flags_and_segments_are_rolled_out_as_values_are(api: Api) -> None:
    beta = {"when": {"attribute": "groups", "op": "eq", "values": ["beta"]}}
    body = {**PROD, "strategy": "immediate", "start": True}
    flag = await api.post("/rollouts", body | {"key": "pool", "flag": FLAG})
    assert (flag.status, flag.document["kind"], flag.document["candidate"]) == (201, "flag", FLAG)
    assert await value(api) == 40
    segment = await api.post("/rollouts", body | {"key": "beta", "segment": beta})
    assert segment.status == 422  # nothing stands there that is a segment
    await api.post("/configs", {**PROD, "key": "beta", "segment": beta})
    segment = await api.post("/rollouts", body | {"key": "beta", "segment": beta})
    assert (segment.status, segment.document["kind"]) == (201, "segment")
    for wrong in ({"flag": {"variants": {}}}, {"segment": {"when": {}}}, {"flag": 7}):
        refused = await api.post("/rollouts", body | {"key": "other"} | wrong)
        assert refused.status == 422
        assert all(each.startswith(f"/{next(iter(wrong))}") for each in refused.pointers), refused.pointers


async def test_configs_tell_which_rollout_they_are_under(api: Api) -> None:
    users = [f"u{number}" for number in range(2_000)]
    rollout = await made(api, strategy="user_targeting", users=users, start=True)
    (shown,) = (await api.get("/configs?prefix=pool")).document["items"]
    told = shown["rollout"]
    assert (told["id"], told["phase"], told["strategy"], told["weight"]) == (
        rollout["id"],
        "progressing",
        "user_targeting",
        100_000,
    )
    assert told["when"] == {"all": [{"any": [{"attribute": "targetingKey", "count": 2_000}]}]}
    assert (await api.get(f"/configs/{shown['id']}")).document["rollout"] == told


async def test_guards_are_overridden_by_the_word_that_changes_know(api: Api) -> None:
    strict = {"name": "few", "pattern": "*/prod", "guards": {"type_change": {"mode": "refuse"}}}
    assert (await api.post("/policies", strict)).status == 201
    body = POOL | {"candidate": "many", "strategy": "immediate"}
    refused = await api.post("/rollouts", body)
    assert (refused.status, refused.document["guards"][0]["guard"]) == (409, "type_change")
    forced = await api.post("/rollouts", body | {"force": {"reason": "readers know"}})
    assert forced.status == 201
    assert (await act(api, forced.document, "start")).status == 409
    started = await act(api, forced.document, "start", {"force": {"reason": "readers know"}})
    assert started.status == 200
    change = (await api.get(f"/changes/{started.document['revision']}")).document
    assert change["forced"]["reason"] == "readers know"


async def test_templates_are_completed_by_the_request(api: Api) -> None:
    plan = {"strategy": "percentage", "stages": [{"weight": 1_000}], "unit": "account"}
    await api.put("/rollout-templates/careful", {"plan": plan})
    rollout = await made(api, template="careful", stages=[{"weight": 2_000}])
    assert (rollout["strategy"], rollout["unit"], rollout["plan"][0]["weight"]) == ("percentage", "account", 2_000)
    await api.delete("/rollout-templates/careful")
    assert (await api.get(f"/rollouts/{rollout['id']}")).status == 200
    copy = await act(api, rollout, "clone", {"unit": "user", "key": "other"})
    assert (copy.status, copy.document["unit"], copy.document["key"]) == (201, "user", "other")
    assert (copy.document["candidate"], copy.document["plan"][0]["weight"]) == (40, 2_000)
    assert copy.document["id"] != rollout["id"]


async def test_candidates_of_secret_configs_are_shown_to_nobody(api: Api) -> None:
    await api.post("/configs", {**PROD, "key": "password", "value": "hunter2", "sensitive": True})
    secret = {"key": "password", "candidate": "correct-horse", "strategy": "immediate"}
    preview = await api.post("/rollouts/preview", POOL | secret)
    rollout = await made(api, **secret)
    assert (rollout["candidate"], rollout["sensitive"]) == (None, True)
    stolen = await act(api, rollout, "clone", {"key": "pool"})
    assert (stolen.status, stolen.pointers) == (422, ["/candidate"])
    cloned = await act(api, rollout, "clone")
    started = await act(api, rollout, "start")
    done = await act(api, rollout, "promote", {"full": True})
    pages = ["/audit", "/rollouts", f"/rollouts/{rollout['id']}", f"/rollouts/{rollout['id']}/events", "/configs"]
    answers = [preview, cloned, started, done, *[await api.get(page) for page in pages]]
    assert all(each.status < 400 for each in answers)
    assert not [each.body for each in answers if b"correct-horse" in each.body]


async def test_a_config_that_becomes_secret_hides_the_candidates_that_it_had(api: Api) -> None:
    rollout = await made(api, strategy="immediate")
    config = (await api.get("/configs?prefix=pool")).document["items"][0]["id"]
    hidden = await api.put(f"/configs/{config}", {"sensitive": True, "value": 20}, headers={"If-Match": "*"})
    assert hidden.status == 200
    assert (await api.get(f"/rollouts/{rollout['id']}")).document["candidate"] is None


async def test_roles_may_do_what_is_theirs(api: Api) -> None:
    tokens = {
        role: await api.key(f"the-{role}", role) for role in (Role.VIEWER, Role.EDITOR, Role.APPROVER, Role.PUBLISHER)
    }
    body = POOL | {"strategy": "feature_flag", "follows": "on"}
    allowed = {role: (await api.post("/rollouts", body, token=token)).status for role, token in tokens.items()}
    assert allowed == {Role.VIEWER: 403, Role.EDITOR: 201, Role.APPROVER: 403, Role.PUBLISHER: 201}
    assert (await api.post("/rollouts", body | {"start": True}, token=tokens[Role.EDITOR])).status == 403
    rollout = (await api.post("/rollouts", body, token=tokens[Role.EDITOR])).document
    assert (await act(api, rollout, "start", token=tokens[Role.EDITOR])).status == 403
    assert (await act(api, rollout, "approve", token=tokens[Role.PUBLISHER])).status == 403
    approved = await act(api, rollout, "approve", token=tokens[Role.APPROVER])
    assert approved.document["approvals"] == [{"principal": "the-approver", "role": "approver", "step": None}]
    assert (await act(api, rollout, "start", token=tokens[Role.PUBLISHER])).status == 200
    assert (await act(api, rollout, "abort", token=tokens[Role.VIEWER])).status == 403
    assert (await act(api, rollout, "abort", token=tokens[Role.APPROVER])).status == 200


async def test_nobody_approves_their_own_and_policies_are_kept(api: Api) -> None:
    await api.post("/policies", {"name": "prod", "pattern": "*/prod", "required_approvals": 1})
    pam, ada = await api.key("pam", Role.PUBLISHER), await api.key("ada", Role.ADMIN)
    body = POOL | {"strategy": "immediate"}
    at_once = await api.post("/rollouts", body | {"start": True}, token=pam)
    assert (at_once.status, at_once.document["type"].rpartition("/")[2]) == (409, "approval-required")
    preview = (await api.post("/rollouts/preview", body, token=pam)).document
    assert ([each["kind"] for each in preview["obstacles"]], preview["would_start"]) == (["approvals"], False)
    rollout = (await api.post("/rollouts", body, token=pam)).document
    assert (await act(api, rollout, "start", token=pam)).status == 409
    why = {"break_glass": {"reason": "fire"}}
    assert (await act(api, rollout, "start", why, token=pam)).status == 403
    mine = (await api.post("/rollouts", body, token=ada)).document
    assert (await act(api, mine, "approve", token=ada)).status == 403
    assert (await act(api, rollout, "approve", token=ada)).status == 200
    assert (await act(api, rollout, "start", token=pam)).status == 200
    broken = await api.post("/rollouts", body | {"key": "other", "start": True, **why}, token=ada)
    assert broken.status == 201
    assert len((await api.get("/reviews?state=open")).document["items"]) == 1


async def test_lists_are_narrowed_and_paged(api: Api) -> None:
    for key in ("a", "b", "c"):
        await made(api, key=key, strategy="immediate")
    await made(api, environment=None, strategy="immediate", key="d")
    listed = (await api.get("/rollouts?app_id=shop&limit=3")).document
    assert [each["key"] for each in listed["items"]] == ["d", "c", "b"]
    rest = (await api.get(f"/rollouts?app_id=shop&limit=3&cursor={listed['next_cursor']}")).document
    assert ([each["key"] for each in rest["items"]], rest["next_cursor"]) == (["a"], None)
    assert len((await api.get("/rollouts?app_id=shop&environment=prod")).document["items"]) == 3
    assert (await api.get("/rollouts?environment=prod")).pointers == ["?environment"]
    assert (await api.get("/rollouts?phase=lost")).pointers == ["?phase"]


async def test_deleting_an_environment_ends_its_rollouts(api: Api) -> None:
    exposed = await made(api, strategy="feature_flag", follows="on", start=True)
    waiting = await made(api, strategy="immediate", key="other")
    deleted = await api.delete("/apps/shop/environments/prod?confirm=shop/prod&force=true")
    assert deleted.status == 200
    for rollout, outcome in ((exposed, "superseded"), (waiting, "withdrawn")):
        ended = (await api.get(f"/rollouts/{rollout['id']}")).document
        assert (ended["phase"], ended["outcome"], ended["legal_actions"]) == ("aborted", outcome, [])
    await drive(api)


async def test_a_thousand_and_more_users_fit_into_a_rollout(api: Api) -> None:
    users = [f"user-{number}" for number in range(20_000)]
    rollout = await made(api, strategy="user_targeting", users=users, start=True)
    assert await value(api, targetingKey="user-7") == 40
    assert await value(api, targetingKey="somebody") == 20
    copy = await act(api, rollout, "clone", {"key": "other"})
    assert (
        copy.document["when"] == rollout["when"] == {"all": [{"any": [{"attribute": "targetingKey", "count": 20_000}]}]}
    )
    await act(api, copy.document, "start")
    assert await value(api, "other", targetingKey="user-19999") == 40
    assert len(copy.body) < 5_000

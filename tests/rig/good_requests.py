"""A good request for each operation that writes: what strangers' requests are made of, by damaging it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from shared.runtime.clock import SystemClock
from tests.rig.api import Answer, Api

FORCE = {"reason": "values of all types follow each other"}
_SOON = (SystemClock().now() + timedelta(hours=6)).isoformat()
_place = {"app_id": "shop", "environment": "prod"}
_operation = {**_place, "key": "a", "expected_version": None}
_policy = {
    "name": "known",
    "pattern": "mail/*",
    "required_approvals": 1,
    "approver_roles": ["approver"],
    "windows": [{"schedule": "0 9 * * MON-THU", "duration": 28800, "time_zone": "Europe/Stockholm"}],
    "guards": {},
    "expires_after": 3600,
}
SEGMENT: dict[str, Any] = {
    "when": {
        "all": [
            {"attribute": "country", "op": "in", "values": ["SE"]},
            {"not": {"attribute": "age", "op": "lt", "values": [18]}},
        ]
    }
}
FLAG: dict[str, Any] = {
    "variants": {"on": {"x": 1}, "off": {"x": 2}},
    "default": "off",
    "off": "off",
    "on": True,
    "rules": [
        {"name": "nordic", "when": {"any": [{"segment": "g"}, {"config": "a", "op": "exists"}]}, "serve": "on"},
        {"split": [{"variant": "on", "weight": 25_000}, {"variant": "off", "weight": 75_000}], "unit": "targetingKey"},
    ],
}
_rollout = {
    **_place,
    "key": "r",
    "candidate": {"x": 1},
    "strategy": "percentage",
    "stages": [
        {"weight": 1000, "after": "0s", "gates": [{"type": "acks", "share": 0.9}, {"type": "approval"}]},
        {"weight": 100000, "at": "2030-01-31T08:00:00Z"},
    ],
    "gates": [{"type": "bake", "seconds": 1, "timeout": None, "dry_run": True}],
    "unit": "targetingKey",
    "salt": "s",
    "when": {"any": [{"attribute": "groups", "op": "eq", "values": ["beta"]}]},
    "window": {"end": "2031-01-31T08:00:00", "time_zone": "Europe/Stockholm", "at_end": "keep"},
    "message": "",
    "labels": {"ticket": "OPS-7"},
}
GOOD: dict[str, Any] = {
    "create_rollout": {**_rollout, "start_at": None, "force": None},
    "preview_rollout": {**_rollout, "contexts": [{"targetingKey": "u", "groups": []}], "template": None},
    "clone_rollout": {"message": "again", "stages": [{"weight": 5}], "key": "r2", "candidate": 1},
    "start_rollout": {"reason": "x", "version": 1, "force": {"reason": "x"}},
    "pause_rollout": {"reason": "x"},
    "resume_rollout": {"reason": "x"},
    "promote_rollout": {"reason": "x", "full": True},
    "abort_rollout": {"reason": "x"},
    "approve_rollout": {"version": None},
    "create_app": {"app_id": "mail", "description": ""},
    "update_app": {"description": "x"},
    "archive_app": {"confirm": "shop", "force": False},
    "archive_environment": {"confirm": "shop/prod", "force": False},
    "create_named_snapshot": {"name": "before", "revision": 1, "description": ""},
    "import_configs": {
        "trimtab": 1,
        "global": {
            "configs": {
                "a": {"value": 1, "owner": "x"},
                "s": {"sensitive": True},
                "f": {"flag": FLAG},
                "g": {"segment": SEGMENT},
            }
        },
        "apps": {"shop": {"environments": {"prod": {"configs": {"b": {"mask": True}}}}}},
        "on_conflict": "overwrite",
        "prune": False,
    },
    "create_environment": {"environment": "dev"},
    "create_agent_token": {"description": "x"},
    "create_broker_credential": {"instance": "i"},
    "enrol_agent": {"instance": "i"},
    "create_revocation": {"subject": "agent:shop/prod/i", "reason": "x"},
    "rotate_keys": {"what": "messages", "at_once": False},
    "create_api_key": {
        "name": "alice",
        "role": "viewer",
        "description": "",
        "expires_at": None,
        "addresses": ["10.0.0.0/8"],
    },
    "rotate_api_key": {"overlap": 60},
    "create_user": {"name": "anna", "display_name": "", "password": "vinegar pigeon lantern"},
    "reset_password": {"password": "seventeen quiet lighthouses"},
    "login": {"name": "anna", "password": "vinegar pigeon lantern", "carrier": "cookie"},
    "change_password": {"current_password": "x", "new_password": "seventeen quiet lighthouses"},
    "exchange_code": {"code": "x", "verifier": "x"},
    "put_role": {"permissions": ["configs.read", "changes.propose"], "description": "x"},
    "create_role_binding": {"subject": "user:anna", "role": "viewer", "reach": "shop/prod/db.*"},
    "create_config": {**_place, "key": "b", "value": {"x": [1]}, "sensitive": True, "description": "", "message": ""},
    "update_config": {
        "value": 1,
        "sensitive": False,
        "owner": "x",
        "labels": {"a": "b"},
        "description": "",
        "message": "",
    },
    "fetch_configs": {**_place, "keys": ["a"], "context": {"targetingKey": "x"}},
    "create_change": {
        "message": "",
        "dry_run": False,
        "base_revision": None,
        "operations": [
            {"op": "put", "value": {"x": 1}, **_operation},
            {"op": "mask", **_operation, "key": "c"},
            {"op": "put", "value": "x", "sensitive": True, **_operation, "key": "d"},
            {"op": "put", "flag": FLAG, **_operation, "key": "e"},
            {"op": "put", "segment": SEGMENT, **_operation, "key": "g"},
        ],
    },
    "archive_audit_records": {"through": 1, "hash": "0" * 64},
    "rollback_config": {"version": 1, "message": "", "dry_run": False},
    "revert_change": {"keys": "skip_moved", "message": ""},
    "restore_environment": {"revision": 1, "at": None, "extent": "scope", "prefix": ""},
    "create_promotion": {"from": {**_place, "revision": 1}, "to": _place, "keys": ["k"]},
    "preview_change": {
        "message": "",
        "force": {"reason": "r"},
        "operations": [
            {"op": "put", "value": {"x": 1}, **_operation},
            {"op": "put", "flag": FLAG, **_operation, "key": "e"},
            {"op": "put", "segment": SEGMENT, **_operation, "key": "g"},
            {"op": "delete", **_operation, "key": "b"},
        ],
    },
    "edit_change": {"message": "better", "labels": {"a": "b"}, "scheduled_at": None, "edition": 1},
    "submit_change": {"edition": 1},
    "approve_change": {"edition": 1, "comment": "x"},
    "reject_change": {"edition": 1, "comment": "x"},
    "withdraw_change": {"comment": "x"},
    "schedule_change": {"scheduled_at": _SOON},
    "commit_change": {"edition": 1, "break_glass": {"reason": "x"}},
    "create_schema": {"app_id": "shop", "pattern": "b*", "schema": {"type": ["string", "null"]}, "dry_run": False},
    "update_schema": {"app_id": "shop", "pattern": "x*", "schema": {"pattern": "^a+$"}, "description": "x"},
    "create_policy": {**_policy, "name": "new"},
    "replace_policy": {**_policy, "required_approvals": 0},
    "close_review": {"comment": "x"},
    "put_rollout_template": {
        "description": "x",
        "plan": {
            "strategy": "percentage",
            "stages": [
                {"weight": 1000, "after": "0s", "gates": [{"type": "bake", "seconds": 60}]},
                {"weight": 100000, "after": "2h"},
            ],
            "unit": "targetingKey",
            "when": {"attribute": "country", "op": "in", "values": ["SE"]},
            "window": {"start": "2030-01-31T08:00:00", "time_zone": "Europe/Stockholm", "at_end": "revert"},
        },
    },
    "report_agent": {
        **_place,
        "instance": "i",
        "agent_version": "1",
        "revisions": {"global": 0, "app": 0, "environment": 0},
        "state": "live",
        "transport": "sse",
        "labels": {"a": "b"},
        "rejection": {"revision": 1, "reason": "x"},
        "reads": {"keys": {"a": 3}, "bulk": 1, "waiting": 0},
    },
}


async def known_names(api: Api, route: Any) -> dict[str, str]:
    """What stands in the path where it is about something that there is."""
    operations = [{"op": "put", "app_id": "shop", "key": "k", "value": 1}]
    if "{change}" in route.path:
        body = {
            "operations": operations,
            "force": FORCE,
            "mode": "draft" if route.name == "submit_change" else "submit",
        }
        return {"change": (await api.post("/changes", body)).document["id"]}
    if "{id}" not in route.path:
        return {}
    kind = route.path.split("/")[3]
    if kind == "rollouts":
        return {"id": await _known_rollout(api, route.name)}
    if kind in {"policies", "schemas", "configs"}:
        return {"id": (await api.get(f"/{kind}?limit=1")).document["items"][0]["id"]}
    return {"id": str(uuid4())}


async def _known_rollout(api: Api, action: str) -> str:
    """A rollout in a phase that allows the action."""
    body = {**_rollout, "key": f"r-{uuid4()}", "gates": []}
    made = (await api.post("/rollouts", body | {"start": action not in {"start_rollout", "clone_rollout"}})).document
    if action == "resume_rollout":
        await api.post(f"/rollouts/{made['id']}/pause", {})
    return str(made["id"])


async def stay_writable(api: Api, path: str, answer: Answer) -> None:
    """Take back what would stand in the way of the requests that follow."""
    if path.endswith("/archive"):
        await api.post(path.removeprefix("//api/v1").replace("/archive", "/unarchive"), None)
    made = answer.headers.get("Location", "").removeprefix("/api/v1")
    if answer.status == 201 and made.startswith(("/policies/", "/schemas/")):
        await api.delete(made, headers={"If-Match": "*"})

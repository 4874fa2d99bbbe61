"""An installation with two applications, each with one of everything, and values that are recognised wherever they show."""

from dataclasses import dataclass
from typing import Any

from shared.domain.codec import decode, encode
from tests.rig.api import Api
from tests.rig.good_requests import FORCE, GOOD

OURS, THEIRS = "billing", "shipping"


def canary(app_id: str) -> str:
    """What the values of an application contain."""
    return f"canary-of-{app_id}"


@dataclass(frozen=True)
class Things:
    """What of an application has an id, by the word for it in paths."""

    app_id: str
    ids: dict[str, str]

    def names(self, path: str) -> dict[str, str]:
        """What stands in a path so that it is about this application."""
        kind = path.split("/")[3] if path.startswith("/api/") else ""
        own = {
            "app": self.app_id,
            "environment": "prod",
            "id": self.ids.get(kind, "0" * 8 + "-0000" * 3 + "-" + "0" * 12),
        }
        return own | {
            "change": self.ids["change"],
            "seq": self.ids["seq"],
            "version": "1",
            "name": "before",
            "role": "captain",
            "user": "anna",
            "session": "none",
            "template": "careful",
            "file": "start.js",
        }

    def body(self, route: str) -> Any:
        """A good body for an operation, about this application."""
        good = GOOD.get(route)
        return None if good is None else decode(encode(good).replace(b'"shop"', f'"{self.app_id}"'.encode()))


async def fill(api: Api, app_id: str) -> Things:
    """Make an application with one of everything."""
    agent, value = await api.register(app_id, "prod"), canary(app_id)
    place = {"app_id": app_id, "environment": "prod"}
    operations = [
        {"op": "put", "app_id": app_id, "key": f"{app_id}.plain", "value": value},
        {"op": "put", **place, "key": "a", "value": {"x": value}, "description": app_id},
        {"op": "put", **place, "key": "password", "value": f"secret {value}", "sensitive": True},
        {"op": "put", **place, "key": "r", "value": value},
    ]
    made = (await api.post("/changes", {"message": f"made for {app_id}", "operations": operations})).document
    await api.post("/changes", {"operations": [{**operations[1], "value": {"x": f"{value} again"}}], "force": FORCE})
    edit = {**operations[1], "value": {"x": f"{value} to come"}}
    stored = await api.post("/changes", {"operations": [edit], "mode": "draft", "message": app_id})
    rollout = await api.post(
        "/rollouts",
        {
            **place,
            "key": "r",
            "candidate": f"{value} new",
            "strategy": "percentage",
            "stages": [{"weight": 1000, "after": "0s"}],
            "message": app_id,
        },
    )
    assert rollout.status == 201, rollout.body
    schema = await api.post("/schemas", {"app_id": app_id, "pattern": "zz*", "schema": {}, "description": app_id})
    policy = await api.post(
        "/policies", {"name": f"of-{app_id}", "pattern": f"{app_id}/nowhere", "description": app_id}
    )
    bound = await api.post("/role-bindings", {"subject": f"user:{app_id}", "role": "viewer", "reach": app_id})
    report = GOOD["report_agent"] | place
    assert (await api.post("/agents/report", report, token=agent)).status == 200
    records = (await api.get(f"/audit?app_id={app_id}&action=change.committed")).document["items"]
    return Things(
        app_id,
        {
            "configs": made["operations"][1]["id"],
            "change": str(made["revision"]),
            "stored": stored.document["id"],
            "rollouts": rollout.document["id"],
            "schemas": schema.document["id"],
            "policies": policy.document["id"],
            "role-bindings": bound.document["id"],
            "seq": str(records[0]["seq"]),
        },
    )

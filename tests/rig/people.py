"""Several people with roles, at the API, and short ways of saying what they do."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from control_plane.domain.access.role import Role
from shared.runtime.clock import SystemClock
from tests.rig.api import Answer, Api

CLOCK = SystemClock()


@dataclass
class People:
    """The API, and tokens of some people with roles."""

    api: Api
    tokens: dict[str, str]

    async def post(self, who: str, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.api.post(path, {} if body is None else body, token=self.tokens.get(who, ""), **more)

    async def propose(self, who: str, key: str = "a", value: Any = 1, **more: Any) -> Answer:
        operation = {"op": "put", "app_id": "shop", "environment": "prod", "key": key, "value": value}
        return await self.post(who, "/changes", {"message": "why", "mode": "submit", "operations": [operation]} | more)

    async def act(self, who: str, change: str, action: str, **body: Any) -> Answer:
        return await self.post(who, f"/changes/{change}/{action}", body)

    async def edit(self, who: str, change: str, edition: int, **body: Any) -> Answer:
        headers = {"If-Match": f'"{edition}"'}
        return await self.api.call("PATCH", f"/changes/{change}", body, token=self.tokens.get(who, ""), headers=headers)

    async def show(self, change: str) -> Any:
        return (await self.api.get(f"/changes/{change}")).document

    async def policy(self, pattern: str = "*/prod", **more: Any) -> Answer:
        return await self.api.post("/policies", {"name": "prod", "pattern": pattern} | more)

    async def value(self, key: str = "a") -> Any:
        fetched = await self.api.post("/configs/fetch", {"app_id": "shop", "environment": "prod"})
        return fetched.document["configs"].get(key, {}).get("value")

    @classmethod
    async def at(cls, api: Api) -> "People":
        """An editor, two publishers, two approvers, a viewer and an admin at an API where shop/prod is registered."""
        await api.register("shop", "prod")
        roles = {"ed": Role.EDITOR, "pam": Role.PUBLISHER, "peter": Role.PUBLISHER, "vic": Role.VIEWER}
        roles |= {"ann": Role.APPROVER, "abe": Role.APPROVER, "ada": Role.ADMIN}
        return cls(api, {name: await api.key(name, role) for name, role in roles.items()})


def problem(answer: Answer) -> str:
    return str(answer.document["type"]).rpartition("/")[2]


def soon(**more: float) -> str:
    return (CLOCK.now() + timedelta(**(more or {"hours": 1}))).isoformat()

"""Rollouts over real processes: start one, wait for what becomes of it, and ask agents for many users."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from shared.runtime.clock import SystemClock, unix_ms
from tests.rig.installation import APP, ENVIRONMENT, Installation
from tests.rig.process import Process

_AT_ONCE = 24
_LOOK_AGAIN = 0.02


def now_ms() -> int:
    """This moment."""
    return unix_ms(SystemClock().now())


@dataclass(frozen=True, slots=True)
class Rollouts:
    """An operator and the users of a fleet."""

    site: Installation
    via: Process

    async def start(self, key: str, **asked: Any) -> str:
        """Make a rollout and start it; returns its id."""
        place = {"app_id": APP, "environment": ENVIRONMENT, "key": key}
        made = await self.site.post(self.via, "/rollouts", {**place, **asked, "start": True})
        return str(made["id"])

    async def act(self, rollout: str, action: str, **body: Any) -> Any:
        """Do something with it."""
        return await self.site.post(self.via, f"/rollouts/{rollout}/{action}", body)

    async def show(self, rollout: str, via: Process | None = None) -> Any:
        """All of it."""
        return await self.site.get(via or self.via, f"/rollouts/{rollout}")

    async def events(self, rollout: str, via: Process | None = None) -> list[Any]:
        """What happened to it, oldest first, but for measurements."""
        page = await self.site.get(via or self.via, f"/rollouts/{rollout}/events?limit=200")
        return [each for each in reversed(page["items"]) if each["action"] != "measured"]

    async def until(self, rollout: str, *phases: str, within: float = 20.0, via: Process | None = None) -> Any:
        """Wait until it is in one of these phases."""
        with anyio.fail_after(within):
            while (found := await self.show(rollout, via))["phase"] not in phases:
                await anyio.sleep(_LOOK_AGAIN)
        return found

    async def served(self, agent: Process, key: str, **context: str) -> Any:
        """What an agent serves for a key to somebody."""
        async with self.site.session.get(f"{agent.url}/v1/values/{key}", params=context) as answer:
            return await answer.json() if answer.status == 200 else None

    async def until_served(
        self, agents: Iterable[Process], key: str, value: Any, within: float, **context: str
    ) -> None:
        """Wait until all of these agents serve this value."""
        with anyio.fail_after(within):
            for agent in agents:
                while await self.served(agent, key, **context) != value:
                    await anyio.sleep(_LOOK_AGAIN / 4)

    async def survey(self, agents: Sequence[Process], key: str, users: Sequence[str]) -> Mapping[str, Any]:
        """What each user is served by the agent that it happens to reach."""
        seen: dict[str, Any] = {}
        rest = iter(enumerate(users))

        async def ask() -> None:
            for index, user in rest:
                seen[user] = await self.served(agents[index % len(agents)], key, targetingKey=user)

        async with anyio.create_task_group() as group:
            for _ in range(_AT_ONCE):
                group.start_soon(ask)
        return seen

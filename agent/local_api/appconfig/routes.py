"""AppConfig's one route. Its face is loaded by the first who asks: most agents have no such clients."""

from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web

from agent.local_api.adapter import handler
from agent.local_api.answers import Answers
from agent.local_api.asked import Asked
from agent.local_api.guard import Guard
from agent.local_api.reply import Reply
from agent.local_api.view import AgentView

if TYPE_CHECKING:
    from agent.local_api.appconfig.profiles import Profiles

ROUTE = "/applications/{app}/environments/{environment}/configurations/{profile}"


class AppConfig:
    """The way to the face."""

    def __init__(self, view: AgentView, answers: Answers, guard: Guard) -> None:
        self._given = view, answers, guard

    def routes(self) -> list[web.RouteDef]:
        """The one that there is."""
        return [web.get(ROUTE, handler(self._read))]

    def _read(self, asked: Asked) -> Reply:
        return self._profiles.read(asked)

    @cached_property
    def _profiles(self) -> "Profiles":
        from agent.local_api.appconfig.profiles import Profiles  # noqa: PLC0415 - as above

        return Profiles(*self._given)

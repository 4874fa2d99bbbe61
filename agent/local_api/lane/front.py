"""Where the fast lane meets the server: every new connection begins in it."""

import asyncio
from collections.abc import Callable

from agent.local_api.lane.connection import LaneConnection
from agent.local_api.lane.lane import Lane


class LaneFront:
    """Stands in front of aiohttp."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def connection(self, behind: Callable[[], asyncio.Protocol]) -> asyncio.BaseProtocol:
        """A new connection, which may go on with what `behind` makes."""
        return LaneConnection(self._lane, behind)

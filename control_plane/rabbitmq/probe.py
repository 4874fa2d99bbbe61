"""Tells readiness whether the broker is there. Without it changes are late, never lost, so it is not required."""

import anyio

from control_plane.domain.errors import UnavailableError
from control_plane.ports.probes import DependencyState
from control_plane.rabbitmq.publisher import RabbitPublisher

_WITHIN = 1.5


class RabbitProbe:
    """Asks by being connected."""

    def __init__(self, publisher: RabbitPublisher) -> None:
        self._publisher = publisher

    async def probe(self) -> DependencyState:
        with anyio.move_on_after(_WITHIN):
            try:
                await self._publisher.connect()
            except UnavailableError as error:
                return DependencyState("rabbitmq", ok=False, required=False, detail=error.detail)
            return DependencyState("rabbitmq", ok=True, required=False)
        return DependencyState("rabbitmq", ok=False, required=False, detail="no answer in time")

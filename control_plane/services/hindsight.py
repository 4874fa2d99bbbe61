"""Everything that looks back or undoes, put together once."""

from dataclasses import dataclass
from typing import Self

from control_plane.domain.limits import Limits
from control_plane.ports import Changes, Configs, History, Registry
from control_plane.services.comparing import Comparing
from control_plane.services.looking_back import LookingBack
from control_plane.services.promoting import Promoting
from control_plane.services.restoring import Restoring
from control_plane.services.undo import Undo


@dataclass(frozen=True, slots=True)
class Hindsight:
    """The services that stand on the versions of configs."""

    history: History
    looking_back: LookingBack
    comparing: Comparing
    undo: Undo
    restoring: Restoring
    promoting: Promoting

    @classmethod
    def over(cls, history: History, changes: Changes, configs: Configs, registry: Registry, limits: Limits) -> Self:
        """Build them over the ports."""
        looking_back = LookingBack(history, registry)
        return cls(
            history=history,
            looking_back=looking_back,
            comparing=Comparing(history, looking_back),
            undo=Undo(changes, configs, history),
            restoring=Restoring(looking_back, limits),
            promoting=Promoting(looking_back),
        )

"""Everything that looks back or undoes, put together once."""

from dataclasses import dataclass
from typing import Self

from control_plane.domain.limits import Limits
from control_plane.ports.changes import Changes
from control_plane.ports.configs import Configs
from control_plane.ports.history import History, NamedSnapshots
from control_plane.ports.registry import Registry
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
    def over(
        cls,
        history: History,
        deciding: History,
        *,
        changes: Changes,
        configs: Configs,
        registry: Registry,
        named: NamedSnapshots,
        limits: Limits,
    ) -> Self:
        """Build them over the ports. What a change is computed of is read from `deciding`: the primary, always."""
        looking_back, judging = LookingBack(history, registry, named), LookingBack(deciding, registry, named)
        return cls(
            history=history,
            looking_back=looking_back,
            comparing=Comparing(history, looking_back),
            undo=Undo(changes, configs, deciding),
            restoring=Restoring(judging, limits),
            promoting=Promoting(judging),
        )

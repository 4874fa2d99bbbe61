"""How the application is to be run: what it is given, what happens to it on a change, and how patient we are."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class OnChange(StrEnum):
    """What happens to the application when its environment would be another one."""

    RESTART = "restart"
    SIGNAL = "signal"
    """It reads again by itself; the new environment is that of its next start."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which configs become variables, under which names. `inherit` None passes on our own environment, without our settings."""

    prefixes: tuple[str, ...] = ()
    strip_prefix: bool = False
    renames: Mapping[str, str] = field(default_factory=dict)
    inherit: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it, in seconds where it is time.

    An application that ends with an error within `settle` after a restart on new values is started again, `tries` times
    at most and after `backoff`, doubled each time; at any other time its end is ours.
    """

    selection: Selection = Selection()
    on_change: OnChange = OnChange.RESTART
    change_signal: signal.Signals = signal.SIGHUP
    quiet: float = 1.0
    max_wait: float = 10.0
    kill_signal: signal.Signals = signal.SIGTERM
    kill_timeout: float = 10.0
    settle: float = 10.0
    tries: int = 5
    backoff: float = 1.0
    ready_timeout: float = 60.0

"""How renderings and hooks ended: counted by whoever does them, read by `/metrics`. All that can be told is listed here."""

from collections import Counter
from enum import StrEnum

from agent.snapshot.durations import SLOW, Durations


class Rendering(StrEnum):
    """How one try to bring a file set up to date ended."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    """It could not be rendered or written."""
    REFUSED = "refused"
    """Its check said no: nothing was published."""
    RETURNED = "returned"
    """It was published, the application did not bear it, and the previous generation was published again."""


class Hook(StrEnum):
    """What was done to the application or asked of it."""

    CHECK = "check"
    SIGNAL = "signal"
    COMMAND = "command"
    HTTP = "http"
    HEALTH = "health"


class Ending(StrEnum):
    """How a hook ended."""

    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class Results:
    """Sums since the start."""

    def __init__(self) -> None:
        self.renderings: Counter[Rendering] = Counter()
        self.rendering = Durations(SLOW)
        self.hooks: Counter[tuple[Hook, Ending]] = Counter()
        self.hook = Durations(SLOW)

    def rendered(self, how: Rendering, seconds: float) -> None:
        """A file set was rendered, or was tried to be."""
        self.renderings[how] += 1
        self.rendering.add(seconds)

    def hooked(self, hook: Hook, how: Ending, seconds: float) -> None:
        """A hook ended."""
        self.hooks[hook, how] += 1
        self.hook.add(seconds)

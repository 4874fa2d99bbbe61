"""What is done around the publication of a set: the check before, the reload after, the health gate at the end."""

from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import TypeAlias

from agent.probing.target import Target

COMMAND_TIMEOUT = 30.0
"""Seconds that a command may take, unless it is said otherwise; after them it is killed."""
POST_TIMEOUT = 10.0
"""Seconds that an HTTP hook may take, unless it is said otherwise."""
STAGED = "{staged}"
"""Stands in a check's words for the directory in which the new files are, not yet published."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its words; no shell is between."""

    words: tuple[str, ...]
    timeout: float = COMMAND_TIMEOUT


@dataclass(frozen=True, slots=True)
class Post:
    """A POST that is answered with 200 to 299. Its body tells the occasion, unless the server takes none."""

    url: str
    timeout: float = POST_TIMEOUT
    body: bool = True


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal for the process that a file holds the id of, or for all processes of a name. One of both is given."""

    signal: Signals
    pid_file: Path | None = None
    process: str = ""


Hook: TypeAlias = Command | Post | Signal


@dataclass(frozen=True, slots=True)
class HealthGate:
    """The application answers well within so many seconds after the reload, `successes` times in a row, asked every `interval`."""

    target: Target
    within: float = 30.0
    successes: int = 1
    interval: float = 1.0
    timeout: float = 2.0

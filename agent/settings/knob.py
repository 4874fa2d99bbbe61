"""What is known of one setting: how it is given, what it means, and how it is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.domain.codec import Json


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting as people give it. `default` is the text that documents what holds when they do not."""

    variable: str
    parse: Callable[[Json], Any]
    meaning: str
    default: str = ""
    required: bool = False
    secret: bool = False
    """Never a flag: everybody on the machine can read those of a process. There is a setting for a file as well."""
    command: str = ""
    """The only command that takes it as a flag, where that is not all of them."""
    called: str = ""
    """The flag, where it is not the name."""

    @property
    def flag(self) -> str:
        """The setting as a flag of the command line; empty where there is none."""
        return "" if self.secret else self.called or f"--{self.name.replace('_', '-')}"

    @property
    def name(self) -> str:
        """The setting's name in the YAML file: the variable's without what all have in common."""
        return self.variable.removeprefix("TRIMTAB_").removeprefix("AGENT_").lower()

"""Who did something, from where, and in which request: what the audit chain keeps of every act."""

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """The way by which an act came."""

    API = "api"
    CLI = "cli"
    CONSOLE = "console"
    GITOPS = "gitops"
    ROLLOUT = "rollout"
    SYSTEM = "system"
    """The program itself: a schedule, an upkeep."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The principal with the role it acted in, where it came from, and the id under which logs speak of its request.

    An act of the program itself has a machine's name for an address and no request.
    """

    principal: str
    address: str = ""
    request_id: str = ""
    role: str = ""
    user_agent: str = ""
    source: Source = Source.API

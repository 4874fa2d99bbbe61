"""Who did something, from where, and in which request: what the audit chain keeps of every act."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attribution:
    """The principal, the address it came from, and the id under which the logs speak of its request.

    An act of the program itself has a machine's name for an address and no request.
    """

    principal: str
    address: str = ""
    request_id: str = ""

"""What to do with the operations of a change: the members that every request has which makes one."""

from typing import Annotated

from pydantic import Field

from control_plane.api.bodies.fields import Body, Labels, Text
from control_plane.domain.change import Forced


class Force(Body):
    """The word that lets a change pass although guards refuse it."""

    reason: Annotated[Text, Field(min_length=1)]
    """Why: it stands in the record of the change, with the guards that it overrode."""

    @property
    def forced(self) -> Forced:
        """The force, in the domain's words."""
        return Forced(self.reason)


class Intent(Body):
    """Why a change is made, and how far to go with it."""

    message: Text = ""
    """Why, for the record of changes."""
    labels: Labels = Field(default_factory=dict)
    """What the change belongs to: a ticket, a commit."""
    dry_run: bool = False
    """Check everything and tell what would be, without doing it."""
    force: Force | None = None
    """Let the change pass although guards refuse it."""

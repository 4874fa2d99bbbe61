"""What to do with the operations of a change: the members that every request has which makes one."""

from pydantic import Field

from control_plane.api.bodies.fields import Body, Labels, Text


class Intent(Body):
    """Why a change is made, and how far to go with it."""

    message: Text = ""
    """Why, for the record of changes."""
    labels: Labels = Field(default_factory=dict)
    """What the change belongs to: a ticket, a commit."""
    dry_run: bool = False
    """Check everything and tell what would be, without doing it."""

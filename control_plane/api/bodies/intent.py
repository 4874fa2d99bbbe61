"""What to do with the operations of a change: the members that every request has which makes one."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from control_plane.api.bodies.fields import Body, Labels, Moment, Text
from control_plane.domain.change import Aim, BreakGlass, Forced


class Force(Body):
    """The word that lets a change pass although guards refuse it."""

    reason: Annotated[Text, Field(min_length=1)]
    """Why: it stands in the record of the change, with the guards that it overrode."""

    @property
    def forced(self) -> Forced:
        """The force, in the domain's words."""
        return Forced(self.reason)


class Breaking(Body):
    """The word that lets a change be committed past its policies."""

    reason: Annotated[Text, Field(min_length=1)]
    """Why: it stands in the record, and in the review that a second person has to close."""

    @property
    def broken(self) -> BreakGlass:
        """The same in the domain's words."""
        return BreakGlass(self.reason)


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
    mode: Literal["commit", "submit", "draft"] | None = None
    """Whether to commit the change now, which is what happens if nothing else is said, to submit it for others to
    approve and commit, or to keep it as a draft."""
    scheduled_at: Moment | None = None
    """When to commit it: it is submitted, and committed then if it has its approvals."""
    break_glass: Breaking | None = None
    """Commit it now, although approvals are missing or no window is open. Opens a review."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.scheduled_at is not None and self.mode == "commit":
            msg = "a change with a time (`scheduled_at`) is not committed now: use the mode `submit`, or leave it out"
            raise ValueError(msg)
        if self.break_glass is not None and self.aim is not Aim.COMMIT:
            msg = "glass is broken (`break_glass`) to commit now: use no other mode, and no `scheduled_at`"
            raise ValueError(msg)
        return self

    @property
    def aim(self) -> Aim:
        """How far to go."""
        if self.mode is None:
            return Aim.COMMIT if self.scheduled_at is None else Aim.SUBMIT
        return Aim(self.mode)

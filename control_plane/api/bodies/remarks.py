"""What agents want operators to know of them: as they tell it, and as it is shown in the fleet."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from control_plane.api.bodies.fields import Revision, without_nul
from control_plane.api.bodies.rollout_views import moment
from shared.wire.remark import MAX_ABOUT, MAX_DETAIL, MAX_KIND, Remark

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999."""


class RemarkBody(BaseModel):
    """What the agent wants operators to know; `refuses`: its application does not get what it has applied."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, use_attribute_docstrings=True)

    kind: Annotated[str, AfterValidator(without_nul)]
    about: Annotated[str, AfterValidator(without_nul)]
    detail: Annotated[str, AfterValidator(without_nul)]
    since_ms: Annotated[int, Field(ge=0, le=LATEST_MS)]
    refuses: bool = False
    revision: Revision = 0

    def remark(self) -> Remark:
        """The same as it is kept."""
        kind, about, detail = self.kind[:MAX_KIND], self.about[:MAX_ABOUT], self.detail[:MAX_DETAIL]
        return Remark(kind, about, detail, self.since_ms, self.refuses, self.revision)


@dataclass(frozen=True, slots=True)
class RemarkView:
    """Something that operators should know of an agent: a file set that its check refused, a local override, a fallback.

    `refuses`: its application does not get what it has applied, as of this `revision`; gates take that for refused.
    """

    kind: str
    about: str
    detail: str
    since: datetime
    refuses: bool
    revision: int

    @classmethod
    def of(cls, remark: Remark) -> Self:
        """Show one."""
        since = moment(remark.since_ms)
        return cls(remark.kind, remark.about, remark.detail, since, remark.refuses, remark.revision)

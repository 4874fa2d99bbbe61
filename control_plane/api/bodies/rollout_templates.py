"""Plans with a name, for rollouts to be made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field

from control_plane.api.bodies.changes import MAX_VERSION
from control_plane.api.bodies.fields import Body, Query, Text
from control_plane.api.bodies.rollout_plans import RolloutPlan
from control_plane.domain.transition import Template


class TemplateBody(Body):
    """A plan to keep under a name."""

    plan: RolloutPlan
    """The members of a rollout that stay the same: a request that names the template adds to them, or gives its own."""
    description: Text = ""
    """For people."""
    version: Annotated[int | None, Field(ge=0, le=MAX_VERSION)] = None
    """The version that was read, if there is no If-Match; 0: there is none yet. Null: whatever is there."""


class TemplateQuery(Query):
    """Which version of a template."""

    version: Annotated[int | None, Field(ge=0, le=MAX_VERSION)] = None
    """The version that was read, if there is no If-Match."""


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A plan with a name. `plan` is as it was given."""

    name: str
    description: str
    plan: Mapping[str, Any]
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, template: Template) -> Self:
        """Show a template."""
        return cls(
            name=template.name,
            description=template.description,
            plan=template.document,
            version=template.version,
            created_at=template.created_at,
            created_by=template.created_by,
            updated_at=template.updated_at,
            updated_by=template.updated_by,
        )

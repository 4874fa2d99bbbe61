"""Schemas of configs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from control_plane.api.bodies.fields import Body, Name, Text, Value
from control_plane.api.bodies.pages import PageQuery, Param
from control_plane.api.bodies.preview import SchemaViolationsView
from control_plane.domain.schema import MAX_PATTERN_LENGTH, Schema
from control_plane.domain.schema import NewSchema as Asked
from control_plane.services.schemas import Trial
from shared.domain.codec import fragment


class NewSchema(Body):
    """A JSON Schema for the values of some keys."""

    app_id: Name | None = None
    """The application that it is about; null for all of them."""
    pattern: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN_LENGTH, examples=["db.*"])]
    """The keys that it is about: one key, or with `*` for anything in it."""
    schema_: Annotated[Value, Field(alias="schema", json_schema_extra={"examples": [{"type": "integer"}]})]
    """JSON Schema 2020-12. Its references lead to its own parts; its regular expressions are of linear time."""
    description: Text = ""
    """For people."""
    dry_run: bool = False
    """Hold it against every value and tell the result, without keeping it."""

    @property
    def asked(self) -> Asked:
        """What is asked for, in the domain's words."""
        return Asked(self.app_id, self.pattern, self.schema_, self.description)


class SchemaQuery(PageQuery):
    """Which schemas."""

    app_id: Param | None = None
    """Those of this application; empty for those of all applications."""


@dataclass(frozen=True, slots=True)
class SchemaView:
    """A schema and the keys that it is about."""

    id: UUID
    app_id: str | None
    pattern: str
    schema: Any
    description: str
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, schema: Schema) -> Self:
        """Show a schema."""
        return cls(
            id=schema.id,
            app_id=schema.app_id,
            pattern=schema.pattern,
            schema=fragment(schema.document),
            description=schema.description,
            version=schema.version,
            created_at=schema.created_at,
            created_by=schema.created_by,
            updated_at=schema.updated_at,
            updated_by=schema.updated_by,
        )


@dataclass(frozen=True, slots=True)
class SchemaTrialView:
    """A schema held against what stands: how many effective values it is about, and what is wrong with them."""

    would_keep: bool
    values: int
    schema_violations: SchemaViolationsView

    @classmethod
    def of(cls, trial: Trial) -> Self:
        """Show a trial."""
        return cls(trial.unfit.total == 0, trial.values, SchemaViolationsView.of(trial.unfit))

"""Audit records: which ones, and what they look like."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, field_validator

from control_plane.api.bodies.fields import MAX_REVISION, Key, Name, Query
from control_plane.api.bodies.pages import PageQuery, Param
from control_plane.domain.attribution import Source
from control_plane.domain.audit import AuditFilter, AuditRecord

Moment: TypeAlias = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A time with its time zone."""
Seq: TypeAlias = Annotated[int, Field(ge=0, le=MAX_REVISION)]


class AuditWhere(Query):
    """Which records; every parameter narrows."""

    actor: Param | None = None
    """Of this principal."""
    action: Param | None = None
    """Whose action begins like this: `change.`, or `change.committed`."""
    object: Param | None = None
    """About this very thing, as records name it: `app.billing`, `change:<id>`."""
    app_id: Name | None = None
    """About this application, or something in it."""
    environment: Name | None = None
    """About this environment of the application."""
    key: Key | None = None
    """About configs with this key."""
    outcome: Literal["done", "denied", "failed"] | None = None
    """That ended like this."""
    source: Source | None = None
    """That came by this way."""
    revision: Seq | None = None
    """Of the commit of this revision."""
    request_id: Param | None = None
    """Of the request with this id."""
    since: Moment | None = None
    """Not before this time."""
    until: Moment | None = None
    """Before this time."""

    @field_validator("environment")
    @classmethod
    def _needs_an_application(cls, environment: str | None, info: ValidationInfo) -> str | None:
        if environment is not None and info.data.get("app_id", "wrong in itself") is None:
            msg = "an environment belongs to an application: give app_id as well"
            raise ValueError(msg)
        return environment

    @property
    def where(self) -> AuditFilter:
        """The parameters as the domain knows them."""
        return AuditFilter(**{name: getattr(self, name) for name in AuditFilter.__dataclass_fields__})


class AuditQuery(AuditWhere, PageQuery):
    """Which records, newest first."""


@dataclass(frozen=True, slots=True)
class AuditRecordView:
    """One act. `detail` holds what was before and after it; a secret is there as a keyed digest.

    `hash` is over `previous_hash` and what the record says. Texts are empty where the record does not say.
    """

    seq: int
    at: datetime
    actor: str
    role: str
    address: str
    user_agent: str
    request_id: str
    source: str
    action: str
    object: str
    outcome: str
    revision: int | None
    detail: dict[str, Any]
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, record: AuditRecord) -> Self:
        """Show a record."""
        plain = {name: getattr(record, name) for name in cls.__dataclass_fields__}
        return cls(**plain | {"previous_hash": record.previous_hash.hex(), "hash": record.hash.hex()})

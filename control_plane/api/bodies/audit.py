"""Audit records: which ones, and what they look like."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, ValidationInfo, field_validator

from control_plane.api.bodies.fields import MAX_REVISION, Body, Key, Moment, Name, Query
from control_plane.api.bodies.pages import PageQuery, Param
from control_plane.domain.attribution import Source
from control_plane.domain.audit import Anchor, AuditFilter, AuditRecord, Flaw, Link
from control_plane.services.audit import Verification

MOST_VERIFIED = 100_000
"""Records that one request verifies: a few seconds' work."""

Hash: TypeAlias = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal."""
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


class AuditExportQuery(AuditWhere):
    """Which records to export, and how."""

    format: Literal["ndjson", "csv"] = "ndjson"
    """`ndjson` can be verified; `csv` is for spreadsheets."""
    after: Seq | None = None
    """Those after this number; by default all that are not archived."""
    through: Seq | None = None
    """Those up to this number; by default to the end of the chain as it is now."""


class AuditVerifyQuery(Query):
    """Which part of the chain to verify."""

    after: Seq | None = None
    """From this record on, which was verified before; by default from where the chain was last archived."""
    hash: Hash | None = None
    """The hash of that record."""
    limit: Annotated[int, Field(ge=1, le=MOST_VERIFIED)] = MOST_VERIFIED // 2
    """How many records at most."""

    @field_validator("hash")
    @classmethod
    def _come_together(cls, given: str | None, info: ValidationInfo) -> str | None:
        if given is not None and info.data.get("after", 0) is None:
            msg = "the hash is of the record `after` which to go on: give both"
            raise ValueError(msg)
        return given

    @property
    def since(self) -> Link | None:
        """The link to go on from."""
        return None if self.after is None or self.hash is None else Link(self.after, bytes.fromhex(self.hash))


class AuditArchival(Body):
    """What to archive."""

    through: Annotated[int, Field(ge=1, le=MAX_REVISION)]
    """The number of the last record of the export."""
    hash: Hash
    """Its hash."""


@dataclass(frozen=True, slots=True)
class AuditLinkView:
    """A place in the chain: a record's number and its hash; 0 stands before the first record."""

    seq: int
    hash: str

    @classmethod
    def of(cls, link: Link) -> Self:
        """Show a link."""
        return cls(link.seq, link.hash.hex())


@dataclass(frozen=True, slots=True)
class AuditBreakView:
    """The first record that is not what it was, or is not there."""

    seq: int
    flaw: Flaw
    detail: str


@dataclass(frozen=True, slots=True)
class AuditVerificationView:
    """What was found. `intact`: all of it is whole, so far as it was checked.

    The chain goes on from the `anchor` (the hash of the `installation`, where nothing was archived) and ends with the
    `head`. `verified` is the last record up to which all is well.
    """

    intact: bool
    complete: bool
    checked: int
    installation: str
    anchor: AuditLinkView
    verified: AuditLinkView
    head: AuditLinkView
    broken: AuditBreakView | None

    @classmethod
    def of(cls, found: Verification) -> Self:
        """Show a verification."""
        broken, extent = found.broken, found.extent
        return cls(
            intact=broken is None,
            complete=found.complete,
            checked=found.checked,
            installation=extent.installation,
            anchor=AuditLinkView.of(extent.anchor),
            verified=AuditLinkView.of(found.last),
            head=AuditLinkView.of(extent.head),
            broken=AuditBreakView(broken.seq, broken.flaw, broken.detail) if broken else None,
        )


@dataclass(frozen=True, slots=True)
class AuditAnchorView:
    """Where the chain goes on after `count` records were archived: the last of these."""

    seq: int
    hash: str
    count: int
    archived_at: datetime
    archived_by: str

    @classmethod
    def of(cls, anchor: Anchor) -> Self:
        """Show an anchor."""
        link = anchor.link
        return cls(link.seq, link.hash.hex(), anchor.count, anchor.archived_at, anchor.archived_by)


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

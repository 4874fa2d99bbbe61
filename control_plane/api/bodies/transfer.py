"""Documents of configs: what an export looks like, and an import of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from control_plane.api.bodies.contents import Contents
from control_plane.api.bodies.fields import Body, Key, Labels, Name, Owner, Query, Revision, Text
from control_plane.api.bodies.intent import Intent
from control_plane.domain.transfer import (
    Document,
    Effect,
    OnConflict,
    Outcome,
    Place,
    Plan,
    Secrets,
    Wanted,
    pointer_of,
)
from control_plane.services.transfer import Sealed
from shared.domain.entry import Kind
from shared.domain.scope import Level, Scope

_MAX_SEALED = 400_000


class ExportQuery(Query):
    """What to export, and how."""

    app_id: Name | None = None
    """Only this application, without the global scope. Without it: the whole installation."""
    format: Literal["yaml", "json"] = "yaml"
    """The form of the document."""
    sensitive: Secrets = Secrets.OMIT
    """`omit` leaves sensitive values out; `seal` encrypts them with the control plane's seal key."""


class ConfigDocument(Contents):
    """One config: a `value`, a `flag`, a `segment` or a `mask`, or `sensitive` without what it holds, or with it `sealed`."""

    mask: Literal[True] | None = None
    """Hides the key here, whatever less specific scopes say."""
    sealed: Annotated[str, Field(max_length=_MAX_SEALED)] | None = None
    """A sensitive value, as an export sealed it."""
    kind_: Annotated[Literal["value", "flag", "segment"], Field(alias="kind")] = "value"
    """What is sealed."""
    sensitive: bool = False
    """Whether the value is a secret. Without a value: whatever the installation has stays."""
    description: Text = ""
    """For people."""
    owner: Owner = ""
    """Who answers for it."""
    labels: Labels = Field(default_factory=dict)
    """Short texts by name."""

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        given = sum((bool(self.content), self.mask is not None, self.sealed is not None))
        if given > 1:
            msg = "value, flag, segment, mask and sealed exclude each other"
            raise ValueError(msg)
        if given == 0 and not self.sensitive:
            msg = (
                "a config has a value, a flag or a segment, or is a mask; only a sensitive one may leave its value out"
            )
            raise ValueError(msg)
        if self.sealed is None and "kind_" in self.model_fields_set:
            msg = "kind says what is sealed; what is not sealed says it by its name"
            raise ValueError(msg)
        if self.sealed is not None and not self.sensitive:
            msg = "what is sealed is sensitive"
            raise ValueError(msg)
        return self

    def wanted(self, scope: Scope, key: str) -> Wanted:
        """What the document wants of this entry; a sealed value is still to be opened."""
        return Wanted(
            pointer=pointer_of(scope, key),
            scope=scope,
            key=key,
            kind=Kind.MASK if self.mask else Kind(self.kind_) if self.sealed is not None else self.kind,
            value=self.content or (b"" if self.mask else None),
            sensitive=self.sensitive,
            description=self.description,
            owner=self.owner,
            labels=self.labels,
        )


class ScopeDocument(Body):
    """What stands in one scope. Without `configs` the document says nothing about the scope."""

    configs: dict[Key, ConfigDocument] | None = None
    """By key."""


class AppDocument(ScopeDocument):
    """An application, with what stands in its own scope and in its environments."""

    description: Text = ""
    """For people; used when the application is registered by an import."""
    environments: dict[Name, ScopeDocument] = Field(default_factory=dict)
    """By name."""


class NewImport(Intent):
    """A document as an export writes it, with what to do about it among its members."""

    trimtab: Literal[1]
    """The number of the document's format."""
    installation: UUID | None = None
    """Where it was taken."""
    revision: Revision | None = None
    """At which revision: in this same installation, only what moved since then conflicts."""
    global_: Annotated[ScopeDocument | None, Field(alias="global")] = None
    """The global scope."""
    apps: dict[Name, AppDocument] = Field(default_factory=dict)
    """Applications by name."""
    on_conflict: Annotated[OnConflict, Field(strict=False)] = OnConflict.REFUSE
    """What to do where an entry was changed since the document was taken, or, for a document from elsewhere, differs."""
    prune: bool = False
    """Whether to delete what the document does not name in the scopes whose `configs` it gives."""
    create_missing: bool = False
    """Whether to register applications and environments that the document names and that are not registered."""

    base_revision: Revision | None = None
    """Refused if a config that would change moved since: what a preview showed is then what is done."""

    def documents(self) -> Iterator[tuple[Scope, ScopeDocument]]:
        """The scopes of the document."""
        if self.global_ is not None:
            yield Scope(), self.global_
        for app_id, app in self.apps.items():
            yield Scope(app_id), app
            for environment, document in app.environments.items():
                yield Scope(app_id, environment), document

    def document(self) -> tuple[Document, list[Sealed]]:
        """The document as the domain knows it, and beside it the entries that are sealed."""
        places, scopes, entries, sealed = [], set(), [], []
        for scope, document in self.documents():
            places.append(Place(scope, document.description if isinstance(document, AppDocument) else ""))
            if document.configs is not None:
                scopes.add(scope)
            for key, config in (document.configs or {}).items():
                wanted = config.wanted(scope, key)
                if config.sealed is None:
                    entries.append(wanted)
                else:
                    sealed.append(Sealed(wanted, config.sealed))
        return Document(tuple(entries), frozenset(scopes), tuple(places), self.installation, self.revision), sealed


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """What becomes of one config. `differs` names the members that an update alters, or that conflict."""

    effect: Effect
    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    pointer: str
    detail: str
    differs: tuple[str, ...]

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Show an outcome."""
        scope = outcome.scope
        return cls(
            effect=outcome.effect,
            app_id=scope.app_id,
            environment=scope.environment,
            scope=scope.level,
            key=outcome.key,
            pointer=outcome.pointer,
            detail=outcome.detail,
            differs=outcome.differs,
        )


@dataclass(frozen=True, slots=True)
class RegisteredView:
    """An application or environment that the import registers."""

    app_id: str
    environment: str | None


@dataclass(frozen=True, slots=True)
class ImportReceipt:
    """What an import does, entry by entry, and the change that it made; null where there is nothing to change.

    With `dry_run` it is what would be. Operations in what is still to be registered are not rehearsed: `change` then
    covers the others only.
    """

    dry_run: bool
    revision: int
    counts: dict[str, int]
    registered: tuple[RegisteredView, ...]
    outcomes: tuple[OutcomeView, ...]
    change: Any

    @classmethod
    def of(cls, plan: Plan, change: Any, *, dry_run: bool) -> Self:
        """Show a plan, and the answer about its change."""
        counts = {each.value: len(plan.of(each)) for each in Effect} | {"unchanged": plan.unchanged}
        registered = tuple(
            RegisteredView(each.scope.app_id or "", each.scope.environment) for each in plan.unregistered
        )
        return cls(dry_run, plan.revision, counts, registered, tuple(map(OutcomeView.of, plan.outcomes)), change)

"""What a change would do, as previews and dry runs tell it."""

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from control_plane.api.bodies.contents import contents, exposure
from control_plane.api.bodies.scopes import ScopeView
from control_plane.domain.change import Operation
from control_plane.domain.effects import Difference, Idle, Seen, Why
from control_plane.domain.gate import Standing
from control_plane.domain.guards import Guard, Hit, Mode
from control_plane.domain.links import Dependant
from control_plane.domain.policy import Policy
from control_plane.domain.preview import BlastRadius, Preview, Some, some
from control_plane.domain.unfit import Unfit
from shared.domain.scope import Level

MAX_DIFFERENCES = 1_000


@dataclass(frozen=True, slots=True)
class SeenView:
    """What an app/environment sees for a key, and where it comes from.

    It stands under `value`, `flag` or `segment`, as its `kind` is; all three are null for a secret (`sensitive`).
    `rollout` is the exposure of a candidate over it, whose `candidate` is null if it is a secret. Where the entry has
    nothing of its own (`inherit`), `below` is what less specific scopes say.
    """

    kind: str
    value: Any
    flag: Any
    segment: Any
    rollout: Any
    sensitive: bool
    scope: Level
    version: int
    below: "SeenView | None"

    @classmethod
    def of(cls, seen: Seen | None) -> "SeenView | None":
        """Show what is seen, if anything."""
        if seen is None:
            return None
        entry = seen.entry
        return cls(
            kind=entry.kind,
            **contents(entry.kind, entry.value, sensitive=entry.sensitive),
            rollout=exposure(entry.rollout, sensitive=entry.sensitive),
            sensitive=entry.sensitive,
            scope=seen.scope.level,
            version=entry.version,
            below=SeenView.of(seen.below),
        )


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """A key that an app/environment sees differently after the change. Null: it sees nothing for it."""

    app_id: str
    environment: str
    key: str
    before: SeenView | None
    after: SeenView | None

    @classmethod
    def of(cls, each: Difference) -> Self:
        """Show a difference."""
        return cls(each.app_id, each.environment, each.key, SeenView.of(each.before), SeenView.of(each.after))


@dataclass(frozen=True, slots=True)
class DifferencesView:
    """The first of all differences, by application, environment and key."""

    total: int
    truncated: bool
    items: tuple[DifferenceView, ...]

    @classmethod
    def of(cls, differences: Some[Difference]) -> Self:
        """Show differences."""
        return cls(differences.total, differences.truncated, tuple(map(DifferenceView.of, differences.items)))


@dataclass(frozen=True, slots=True)
class IdleView:
    """An operation that changes nothing for anybody, and why; `overridden_by` are the first scopes that win over it."""

    pointer: str
    app_id: str | None
    environment: str | None
    key: str
    why: Why
    overridden_by: tuple[ScopeView, ...]

    @classmethod
    def of(cls, idle: Idle, operation: Operation) -> Self:
        """Show an operation without effect."""
        scope, winners = operation.scope, some(idle.overridden_by).items
        pointer = f"/operations/{idle.index}"
        return cls(pointer, scope.app_id, scope.environment, operation.key, idle.why, tuple(map(ScopeView.of, winners)))


@dataclass(frozen=True, slots=True)
class SchemaViolationView:
    """An effective value that its schema does not allow. `pointer` points into the value."""

    app_id: str
    environment: str
    key: str
    pointer: str
    detail: str
    schema: UUID | None
    operation: str

    @classmethod
    def of(cls, each: Unfit) -> Self:
        """Show a violation."""
        return cls(each.app_id, each.environment, each.key, each.pointer, each.detail, each.schema, each.operation)


@dataclass(frozen=True, slots=True)
class SchemaViolationsView:
    """The first of all violations of schemas."""

    total: int
    truncated: bool
    items: tuple[SchemaViolationView, ...]

    @classmethod
    def of(cls, unfit: Some[Unfit]) -> Self:
        """Show violations."""
        return cls(unfit.total, unfit.truncated, tuple(map(SchemaViolationView.of, unfit.items)))


@dataclass(frozen=True, slots=True)
class GuardHitView:
    """A guard that the change hits, and what to do. One of the mode `refuse` stops it unless it is forced."""

    guard: Guard
    mode: Mode
    detail: str
    hint: str
    app_id: str | None
    environment: str | None
    key: str | None
    pointer: str

    @classmethod
    def of(cls, hit: Hit) -> Self:
        """Show a guard's hit."""
        return cls(hit.guard, hit.mode, hit.detail, hit.hint, hit.app_id, hit.environment, hit.key, hit.pointer)


@dataclass(frozen=True, slots=True)
class GuardHitsView:
    """The first of all guards hit."""

    total: int
    truncated: bool
    items: tuple[GuardHitView, ...]

    @classmethod
    def of(cls, hits: Some[Hit]) -> Self:
        """Show guards."""
        return cls(hits.total, hits.truncated, tuple(map(GuardHitView.of, hits.items)))


@dataclass(frozen=True, slots=True)
class WarningView:
    """Something to look at that stops nothing."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class AskingPolicyView:
    """A policy that wants approvals for the change."""

    id: UUID
    name: str
    required_approvals: int

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """Show a policy."""
        return cls(policy.id, policy.name, policy.required_approvals)


@dataclass(frozen=True, slots=True)
class EnvironmentName:
    """An app/environment."""

    app_id: str
    environment: str


@dataclass(frozen=True, slots=True)
class AgentName:
    """A live agent."""

    app_id: str
    environment: str
    instance: str


@dataclass(frozen=True, slots=True)
class ApplicationsView:
    """Applications: how many, and the first of their names."""

    total: int
    truncated: bool
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentsView:
    """Environments: how many, and the first of their names."""

    total: int
    truncated: bool
    items: tuple[EnvironmentName, ...]


@dataclass(frozen=True, slots=True)
class LiveAgentsView:
    """Live agents: how many, and the first of their names."""

    total: int
    truncated: bool
    items: tuple[AgentName, ...]

    @classmethod
    def of(cls, agents: Some[tuple[str, str, str]]) -> Self:
        """Show agents."""
        return cls(agents.total, agents.truncated, tuple(AgentName(*each) for each in agents.items))


@dataclass(frozen=True, slots=True)
class BlastRadiusView:
    """Who would see the change. `agents` is null while it is not known which agents live."""

    applications: ApplicationsView
    environments: EnvironmentsView
    agents: LiveAgentsView | None

    @classmethod
    def of(cls, radius: BlastRadius) -> Self:
        """Show a blast radius."""
        apps, pairs = radius.applications, radius.environments
        return cls(
            ApplicationsView(apps.total, apps.truncated, apps.items),
            EnvironmentsView(pairs.total, pairs.truncated, tuple(EnvironmentName(*each) for each in pairs.items)),
            None if radius.agents is None else LiveAgentsView.of(radius.agents),
        )


@dataclass(frozen=True, slots=True)
class DependantView:
    """A config or segment whose rules refer to what the change touches (`refers_to`), or to one that does."""

    app_id: str | None
    environment: str | None
    scope: Level
    key: str
    kind: str
    refers_to: str

    @classmethod
    def of(cls, each: Dependant) -> Self:
        """Show what refers to something."""
        return cls(each.app_id, each.environment, each.scope.level, each.key, each.kind, each.refers_to)


@dataclass(frozen=True, slots=True)
class DependantsView:
    """The first of all that refer to what the change touches."""

    total: int
    truncated: bool
    items: tuple[DependantView, ...]

    @classmethod
    def of(cls, dependants: Some[Dependant]) -> Self:
        """Show dependants."""
        return cls(dependants.total, dependants.truncated, tuple(map(DependantView.of, dependants.items)))


@dataclass(frozen=True, slots=True)
class ObstacleView:
    """Something that stands in the way: what policies want (a role, a reason, approvals, an open window), a rollout."""

    kind: Standing
    detail: str


@dataclass(frozen=True, slots=True)
class PreviewView:
    """What a change would do. `would_commit`: it could be committed now as it is.

    That is: no schema stands against it, no guard (or it is `forced`), and there are no `obstacles`.
    """

    would_commit: bool
    forced: bool
    differences: DifferencesView
    dependants: DependantsView
    without_effect: tuple[IdleView, ...]
    schema_violations: SchemaViolationsView
    guards: GuardHitsView
    warnings: tuple[WarningView, ...]
    required_approvals: int
    policies: tuple[AskingPolicyView, ...]
    obstacles: tuple[ObstacleView, ...]
    blast_radius: BlastRadiusView

    @classmethod
    def of(cls, preview: Preview, operations: tuple[Operation, ...]) -> Self:
        """Show a preview of a change of these operations."""
        requirements = preview.requirements
        return cls(
            would_commit=preview.would_commit,
            forced=preview.forced,
            differences=DifferencesView.of(some(preview.effects.differences, MAX_DIFFERENCES)),
            dependants=DependantsView.of(preview.dependants),
            without_effect=tuple(IdleView.of(each, operations[each.index]) for each in preview.effects.idle),
            schema_violations=SchemaViolationsView.of(preview.unfit),
            guards=GuardHitsView.of(preview.hits),
            warnings=tuple(WarningView(each.pointer, each.detail) for each in preview.warnings),
            required_approvals=requirements.approvals,
            policies=tuple(map(AskingPolicyView.of, requirements.asking_for_approval())),
            obstacles=tuple(ObstacleView(each.kind, each.detail) for each in preview.obstacles),
            blast_radius=BlastRadiusView.of(preview.blast_radius),
        )

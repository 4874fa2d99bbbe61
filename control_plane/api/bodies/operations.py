"""What operators of the control plane itself look at, and the form of every error."""

from dataclasses import dataclass

from control_plane.ports.probes import DependencyState


@dataclass(frozen=True, slots=True)
class HealthView:
    """The process is alive."""

    status: str


@dataclass(frozen=True, slots=True)
class DependencyView:
    """One dependency; only a required one that is away makes a replica not ready."""

    name: str
    ok: bool
    required: bool
    detail: str

    @classmethod
    def of(cls, state: DependencyState) -> "DependencyView":
        """Show a dependency."""
        return cls(state.name, state.ok, state.required, state.detail)


@dataclass(frozen=True, slots=True)
class ReadinessView:
    """Whether this replica can serve, and what it depends on."""

    ready: bool
    dependencies: tuple[DependencyView, ...]


@dataclass(frozen=True, slots=True)
class ViolationView:
    """One thing wrong with a request: a JSON Pointer into the body, or `?name` for a query parameter."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class ProblemView:
    """What every error looks like (RFC 9457). `instance` is the request's id; some types add members of their own."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    hint: str
    violations: tuple[ViolationView, ...] = ()
    retry_after: int | None = None

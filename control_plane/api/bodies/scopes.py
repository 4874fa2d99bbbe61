"""Scopes, as answers show them."""

from dataclasses import dataclass
from typing import Self

from shared.domain.scope import Level, Scope


@dataclass(frozen=True, slots=True)
class ScopeView:
    """A scope: where in the hierarchy something stands."""

    scope: Level
    app_id: str | None
    environment: str | None

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Show a scope."""
        return cls(scope.level, scope.app_id, scope.environment)

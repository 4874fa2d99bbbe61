"""What can go wrong with a request, as facts; `control_plane/api/errors.py` maps each class to a problem.

```text
TrimtabError
├── NotFoundError             (kind, name)
├── InvalidError              (violations)
├── TooLargeError             (limit, allowed, unit)
├── ConflictError             (detail, facts)
│   ├── KeyReusedError        an Idempotency-Key that was used for another request
│   └── RulesMovedError       policies or schemas changed since the draft was checked
├── VersionMismatchError      (expected, current)
├── PreconditionRequiredError If-Match is missing
├── UnauthenticatedError
├── ForbiddenError            (permission)
└── UnavailableError          (dependency, retry_after)   adapters translate driver errors into this, with `from`
```
"""

from collections.abc import Mapping, Sequence

from shared.wire.codec import Json
from shared.wire.problem import Violation


class TrimtabError(Exception):
    """Root of the errors that a caller can cause or must know about."""


class NotFoundError(TrimtabError):
    """There is no such thing; `kind` says what was looked for, `name` under which name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is no {kind} {name!r}.")
        self.kind, self.name = kind, name


class InvalidError(TrimtabError):
    """The request can be read but not carried out as it is."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("; ".join(f"{each.pointer or '/'}: {each.detail}" for each in violations))
        self.violations = tuple(violations)


class TooLargeError(TrimtabError):
    """A limit is exceeded; the message names it."""

    def __init__(self, limit: str, allowed: int, unit: str, pointer: str = "") -> None:
        super().__init__(f"The limit {limit} is {allowed:,} {unit}.")
        self.limit, self.allowed, self.unit, self.pointer = limit, allowed, unit, pointer


class ConflictError(TrimtabError):
    """It conflicts with what is there; `facts` become members of the problem."""

    def __init__(self, detail: str, **facts: Json) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts: Mapping[str, Json] = facts


class KeyReusedError(ConflictError):
    """The Idempotency-Key was used for another request."""


class RulesMovedError(ConflictError):
    """Policies or schemas are no longer those that a draft was checked against: check it again."""


class VersionMismatchError(TrimtabError):
    """Somebody changed the config since it was read."""

    def __init__(self, expected: int, current: int) -> None:
        super().__init__(f"Version {expected} was expected, the current one is {current}.")
        self.expected, self.current = expected, current


class PreconditionRequiredError(TrimtabError):
    """The request must say which version it is based on."""


class UnauthenticatedError(TrimtabError):
    """There are no credentials, or none that are known."""


class ForbiddenError(TrimtabError):
    """The caller is known and may not do this."""

    def __init__(self, permission: str, detail: str) -> None:
        super().__init__(detail)
        self.permission = permission


class UnavailableError(TrimtabError):
    """A dependency is away; trying again later may work."""

    def __init__(self, dependency: str, detail: str, retry_after: int = 1) -> None:
        super().__init__(f"{dependency}: {detail}")
        self.dependency, self.detail, self.retry_after = dependency, detail, retry_after

"""What can go wrong with a request, as facts; `control_plane/api/errors.py` maps each class to a problem.

```text
TrimtabError
├── NotFoundError             (kind, name)
├── InvalidError              (violations)
│   └── UnfitError            (unfit) effective values that their schemas do not allow
├── TooLargeError             (limit, allowed, unit)
├── ConflictError             (detail, facts)
│   ├── KeyReusedError        an Idempotency-Key that was used for another request
│   ├── RulesMovedError       policies or schemas changed since the draft was checked
│   ├── ValuesMovedError      values changed since the draft was checked against them
│   ├── ReferencesUncheckedError nobody looked whether references still lead somewhere
│   ├── GuardedError          (hits) guards refuse it unless it is forced
│   ├── StaleProposalError    a stored change is no longer as it was read
│   ├── RolloutRunningError   (rollouts) configs are under rollouts, which this would write over
│   ├── StaleRolloutError     something else happened to a rollout since it was read
│   ├── ApprovalRequiredError policies want more approvals than there are
│   ├── StagingRequiredError  policies let changes pass as rollouts only, with certain gates
│   └── WindowClosedError     policies have windows, and none is open
├── VersionMismatchError      (expected, current)
├── PreconditionRequiredError If-Match is missing
├── UnauthenticatedError
│   └── LoginRefusedError     whoever wanted to log in is not let in, and not told why
├── LockedOutError            (wait) too many guesses
├── CrossSiteError            a browser's session, used from elsewhere
├── LoginFailedError          (detail) the identity provider's answer is of no use
├── ForbiddenError            (permission)
├── RateLimitedError          (kind, rate, wait)
├── OverloadedError           (retry_after) too many want something large at once
└── UnavailableError          (dependency, retry_after)   adapters translate driver errors into this, with `from`
```
"""

from collections.abc import Mapping, Sequence

from control_plane.domain.guards import Hit
from control_plane.domain.rates import Kind, Rate
from control_plane.domain.unfit import Unfit
from shared.domain.codec import Json
from shared.wire.problem import Violation

MAX_TOLD = 100
"""How many things of one kind an error tells; it gives their number as well."""


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


class UnfitError(InvalidError):
    """Effective values would not be what their schemas allow. At most `MAX_TOLD` of them are told."""

    def __init__(self, unfit: Sequence[Unfit], total: int) -> None:
        self.unfit, self.total = tuple(unfit[:MAX_TOLD]), total
        super().__init__([Violation(each.operation, str(each)) for each in self.unfit])


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


class ValuesMovedError(ConflictError):
    """Values that a draft was checked against are no longer those: check it again."""


class ReferencesUncheckedError(ConflictError):
    """The change touches what refers to others, or is referred to: follow the references first."""


class GuardedError(ConflictError):
    """Guards refuse the change; with force it would pass. At most `MAX_TOLD` of them are told."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        names = ", ".join(sorted({each.guard for each in hits}))
        told = [each.document() for each in hits[:MAX_TOLD]]
        super().__init__(f"Guards refuse this: {names}.", guards=told, guards_total=len(hits))
        self.hits = tuple(hits)


class StaleProposalError(ConflictError):
    """Something else happened to a stored change since it was read: read it again."""


class RolloutRunningError(ConflictError):
    """Configs of the change are under rollouts, which it would write over; `rollouts` names them."""


class StaleRolloutError(ConflictError):
    """Something else happened to a rollout since it was read: read it again."""


class ApprovalRequiredError(ConflictError):
    """Policies want more approvals than there are."""


class StagingRequiredError(ConflictError):
    """Policies let changes pass as rollouts only, with gates that this one does not have."""


class WindowClosedError(ConflictError):
    """Policies let changes be committed in windows only, and none is open."""


class VersionMismatchError(TrimtabError):
    """Somebody changed the config since it was read."""

    def __init__(self, expected: int, current: int) -> None:
        super().__init__(f"Version {expected} was expected, the current one is {current}.")
        self.expected, self.current = expected, current


class PreconditionRequiredError(TrimtabError):
    """The request must say which version it is based on."""


class UnauthenticatedError(TrimtabError):
    """There are no credentials, or none that are known."""


class LoginRefusedError(UnauthenticatedError):
    """Whoever wanted to log in is not let in. Why is not told: every reason looks the same."""


class LockedOutError(TrimtabError):
    """There were too many guesses; the next one may come in `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("Too many attempts to log in have failed.")
        self.wait = wait


class CrossSiteError(TrimtabError):
    """A browser sent its session along with a request that did not come from a page of ours."""


class LoginFailedError(TrimtabError):
    """Logging in by the identity provider did not work; the detail is for the person."""


class ForbiddenError(TrimtabError):
    """The caller is known and may not do this."""

    def __init__(self, permission: str, detail: str) -> None:
        super().__init__(detail)
        self.permission = permission


class RateLimitedError(TrimtabError):
    """The caller asks too often; there is room again in `wait` seconds."""

    def __init__(self, kind: Kind, rate: Rate, wait: float) -> None:
        super().__init__(f"The limit {kind} is {rate.per_second:g} a second, and {rate.burst:,} at once.")
        self.kind, self.rate, self.wait = kind, rate, wait


class OverloadedError(TrimtabError):
    """Too many want something large at this moment."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many want this of this replica at once.")
        self.retry_after = retry_after


class UnavailableError(TrimtabError):
    """A dependency is away; trying again later may work."""

    def __init__(self, dependency: str, detail: str, retry_after: int = 1) -> None:
        super().__init__(f"{dependency}: {detail}")
        self.dependency, self.detail, self.retry_after = dependency, detail, retry_after


class KeyLostError(TrimtabError):
    """Something lies encrypted under a key that is not there, or was altered. `key` is the id of that key."""

    def __init__(self, key: str, *, altered: bool = False) -> None:
        why = "but it was altered, or belongs elsewhere" if altered else "which this control plane does not have"
        super().__init__(f"It is encrypted under the key {key}, {why}.")
        self.key, self.altered = key, altered

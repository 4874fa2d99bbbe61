"""The registry of problem types (RFC 9457) and the document in which every error of both HTTP APIs is answered."""

from dataclasses import dataclass, field
from enum import Enum

from shared.domain.codec import Json, encode

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "https://trimtab.dev/problems/"
"""Stable base of the problem types' URIs. `docs/problems.md` has one section for each."""


class ProblemType(Enum):
    """One kind of error: a stable slug, its HTTP status, a fixed title and what to do about it."""

    MALFORMED = (
        "malformed",
        400,
        "The request cannot be read",
        "Send JSON of the form that the API's documentation shows.",
    )
    UNAUTHENTICATED = (
        "unauthenticated",
        401,
        "Credentials are missing or not valid",
        "Send `Authorization: Bearer <token>`.",
    )
    LOGIN_REFUSED = (
        "login-refused",
        401,
        "The login is refused",
        "Check the name and the password; an administrator can reset it (`trimtab users reset-password`).",
    )
    LOGIN_FAILED = (
        "login-failed",
        400,
        "Logging in by the identity provider did not work",
        "Begin again. If it goes on, whoever runs the control plane finds the cause in its log.",
    )
    CROSS_SITE = (
        "cross-site",
        403,
        "This request did not come from a page of this installation",
        "Send the session's X-CSRF-Token (GET /api/v1/auth/session tells it) from the same origin, or use a token.",
    )
    FORBIDDEN = (
        "forbidden",
        403,
        "These credentials may not do this",
        "Use credentials that may, or ask for the permission that the detail names.",
    )
    HOST_REFUSED = (
        "host-refused",
        403,
        "This Host is not served here",
        "Call the agent by the address it listens on, or add the name to its allowed hosts.",
    )
    NOT_FOUND = ("not-found", 404, "There is no such thing", "Check the name that the detail gives.")
    METHOD_NOT_ALLOWED = (
        "method-not-allowed",
        405,
        "This method is not available here",
        "Use one of the methods in the Allow header.",
    )
    NOT_ACCEPTABLE = (
        "not-acceptable",
        406,
        "The answer has no such form",
        "Accept one of the media types that the detail names.",
    )
    CONFLICT = ("conflict", 409, "It conflicts with what is there", "Read the current state and decide again.")
    KEY_REUSED = (
        "idempotency-key-reused",
        409,
        "This Idempotency-Key was used for another request",
        "Use a new key for a new request.",
    )
    GUARDED = (
        "guarded",
        409,
        "Guards refuse this change",
        'Look at `guards`: each says what to do. To let the change pass nevertheless, send `"force": {"reason": "…"}`.',
    )
    APPROVAL_REQUIRED = (
        "approval-required",
        409,
        "The change needs approvals first",
        "Submit it (`mode`: `submit`) and have others approve it; who has the permission may break the glass.",
    )
    STAGING_REQUIRED = (
        "staging-required",
        409,
        "The change has to go as a rollout",
        "Make a rollout of it that has what the detail names (POST /api/v1/rollouts); who has the permission may break the glass.",
    )
    ROLLOUT_RUNNING = (
        "rollout-running",
        409,
        "A rollout of this config is in exposure",
        "Promote or abort the rollouts that `rollouts` names, or force the change, which ends them.",
    )
    ROLLOUT_PHASE = (
        "rollout-phase",
        409,
        "The rollout's phase does not allow this",
        "Do one of its `legal_actions`.",
    )
    ROLLOUT_MOVED = (
        "rollout-moved",
        409,
        "Something else happened to the rollout",
        "Read the rollout again and decide again.",
    )
    WINDOW_CLOSED = (
        "window-closed",
        409,
        "No change window is open",
        "Schedule it for `next_opening` (`scheduled_at`); who has the permission may break the glass.",
    )
    VERSION_MISMATCH = (
        "version-mismatch",
        412,
        "Somebody changed it since",
        "Read it again and send its current version in If-Match.",
    )
    TOO_LARGE = ("too-large", 413, "The request is larger than allowed", "Stay below the limit that the detail names.")
    UNSUPPORTED_MEDIA = (
        "unsupported-media-type",
        415,
        "The body has the wrong media type",
        "Send `Content-Type: application/json`.",
    )
    MISDIRECTED = (
        "misdirected",
        421,
        "This Host is not served here",
        "Call the control plane by a name that TRIMTAB_PUBLIC_HOSTS lists, or add this one to it.",
    )
    INVALID = ("invalid", 422, "The request is not valid", "Correct what `violations` points at.")
    PRECONDITION_REQUIRED = (
        "precondition-required",
        428,
        "If-Match is required",
        'Send the version that you read as `If-Match: "<version>"`.',
    )
    TOO_MANY_REQUESTS = ("too-many-requests", 429, "Too many requests", "Wait for as long as Retry-After says.")
    RATE_LIMITED = (
        "rate-limited",
        429,
        "Requests come faster than allowed",
        "Wait for as long as Retry-After says, and stay below what RateLimit-Policy says.",
    )
    HEADERS_TOO_LARGE = (
        "headers-too-large",
        431,
        "The URL or a header is larger than allowed",
        "Send a shorter URL and smaller headers.",
    )
    INTERNAL = (
        "internal",
        500,
        "Something failed here",
        "Report the request id in `instance`; the server's log has the cause.",
    )
    KEY_LOST = (
        "key-lost",
        503,
        "A key is missing that this is encrypted under",
        "Give the control plane the key that the detail names (TRIMTAB_ENCRYPTION_KEY takes several), or put the value anew.",
    )
    UNAVAILABLE = ("unavailable", 503, "Something this needs is away", "Try again after Retry-After.")
    OVERLOADED = ("overloaded", 503, "Too many want this at once", "Try again after Retry-After.")
    NOT_READY = ("not-ready", 503, "Not ready to serve", "Wait until /readyz answers 200.")

    def __init__(self, slug: str, status: int, title: str, hint: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title
        self.hint = hint

    @property
    def uri(self) -> str:
        """The type's URI."""
        return TYPE_BASE + self.slug


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request: where (a JSON Pointer, or `?name` for a query parameter) and why."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One occurrence of a problem type. `extensions` are the members that RFC 9457 lets us add."""

    type: ProblemType
    detail: str
    violations: tuple[Violation, ...] = ()
    retry_after: int | None = None
    extensions: dict[str, Json] = field(default_factory=dict)

    def document(self, instance: str) -> dict[str, Json]:
        """The problem as a JSON document; `instance` is the request's id."""
        document: dict[str, Json] = {
            "type": self.type.uri,
            "title": self.type.title,
            "status": self.type.status,
            "detail": self.detail,
            "instance": instance,
            "hint": self.type.hint,
        }
        if self.violations:
            document["violations"] = [{"pointer": each.pointer, "detail": each.detail} for each in self.violations]
        if self.retry_after is not None:
            document["retry_after"] = self.retry_after
        return document | self.extensions

    def encode(self, instance: str) -> bytes:
        """The problem's bytes."""
        return encode(self.document(instance))

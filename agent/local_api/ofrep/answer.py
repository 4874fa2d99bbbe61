"""What the protocol says of one outcome: the same bytes for a single evaluation and as an item of a bulk answer."""

from dataclasses import dataclass

from agent.local_api.answers import said
from agent.local_api.ofrep.numbers import as_served
from shared.domain.codec import Json, encode, fragment
from shared.domain.resolution import Effective, ErrorCode, Reason, Resolution

NAMELESS = "value"
"""The variant of what has none: clients refuse an answer without one."""

_NULL = b"null"


@dataclass(frozen=True, slots=True)
class FlagAnswer:
    """The answer's status and bytes, and the reason under which it is counted."""

    status: int
    body: bytes
    reason: str
    sensitive: bool


def answer_of(resolution: Resolution, effective: Effective, *, stale: bool) -> FlagAnswer:
    """The answer for an outcome of the config that `effective` is."""
    key, reason = effective.entry.key, said(resolution, stale=stale)
    sensitive = resolution.effective.entry.sensitive
    if failed := _failure(resolution):
        return FlagAnswer(400, failure(key, *failed), Reason.ERROR.value, sensitive)
    document: dict[str, Json] = {"key": key}
    if resolution.value == _NULL:  # a client's own default is what null stands for
        document["reason"] = Reason.DEFAULT.value if resolution.reason is Reason.STATIC else reason
    else:
        document |= {"value": fragment(as_served(resolution.value, effective)), "reason": reason}
    document |= {"variant": resolution.variant or NAMELESS, "metadata": _metadata(resolution)}
    return FlagAnswer(200, encode(document), reason, sensitive)


def failure(key: str, code: str, details: str) -> bytes:
    """The body of a failure: clients need all three members."""
    return encode({"key": key, "errorCode": code, "errorDetails": details})


def _failure(resolution: Resolution) -> tuple[str, str] | None:
    """The error code and details of what cannot be served."""
    if not resolution.value:
        return resolution.error or ErrorCode.GENERAL, "It has no value that this agent understands or has."
    if resolution.error is ErrorCode.TARGETING_KEY_MISSING and resolution.rollout is None:
        return (
            resolution.error,
            "A rule of this flag goes by a unit that the context does not have: send a targetingKey.",
        )
    return None  # a baseline or a default variant is served even where something could not be decided


def _metadata(resolution: Resolution) -> dict[str, Json]:
    entry = resolution.effective.entry
    found: dict[str, Json] = {
        "version": entry.version,
        "revision": entry.revision,
        "scope": resolution.effective.level,
    }
    if resolution.rollout is not None:
        found |= {"rollout": resolution.rollout, "arm": resolution.arm}
    if resolution.error is not None:
        found["error"] = resolution.error
    if resolution.effective.local:
        found["override"] = True
    return found

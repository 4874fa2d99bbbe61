"""What the protocol says of one outcome: the same bytes for a single evaluation and as an item of a bulk answer."""

import hashlib
from dataclasses import dataclass

from agent.local_api.answers import said
from agent.local_api.ofrep.numbers import as_served
from agent.local_api.ofrep.refusal import JSON_HEADERS, told
from agent.local_api.reply import Reply
from shared.domain.codec import Json, encode, fragment
from shared.domain.resolution import Effective, ErrorCode, Reason, Resolution

NAMELESS = "value"
"""The variant of what has none: clients refuse an answer without one."""

_NULL = b"null"
_SENSITIVE = "It is sensitive: send the agent's local token (Authorization: Bearer, or X-API-Key), if it has one."


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """What stands in an answer for one flag, and a digest of it: tags of bulks are made of those."""

    content: bytes
    digest: bytes

    @classmethod
    def of(cls, content: bytes) -> "Item":
        """Give the bytes their digest."""
        return cls(content, hashlib.blake2b(content, digest_size=16).digest())


@dataclass(frozen=True, slots=True, eq=False)
class FlagAnswer:
    """All that is said of one outcome: the reply to a single evaluation, and the items of bulk answers.

    `public` is for those who may not see sensitive values; of any other it is the same as `full`.
    """

    reply: Reply
    reason: str
    sensitive: bool
    full: Item
    public: Item


def answer_of(resolution: Resolution, effective: Effective, *, stale: bool) -> FlagAnswer:
    """The answer for an outcome of the config that `effective` is."""
    key, sensitive = effective.entry.key, resolution.effective.entry.sensitive
    failed = _failure(resolution)
    reason = Reason.ERROR.value if failed else said(resolution, stale=stale)
    full = Item.of(failure(key, *failed) if failed else _success(key, resolution, effective, reason))
    public = Item.of(failure(key, ErrorCode.GENERAL, _SENSITIVE)) if sensitive else full
    return FlagAnswer(Reply(400 if failed else 200, JSON_HEADERS, full.content), reason, sensitive, full, public)


def unknown(key: str) -> FlagAnswer:
    """The answer for a flag that was asked for and is not there."""
    details = f"There is no config {told(key)!r} for this application/environment."
    item = Item.of(failure(told(key), ErrorCode.FLAG_NOT_FOUND, details))
    return FlagAnswer(Reply(404, JSON_HEADERS, item.content), Reason.ERROR.value, False, item, item)


def _success(key: str, resolution: Resolution, effective: Effective, reason: str) -> bytes:
    document: dict[str, Json] = {"key": key}
    if resolution.value == _NULL:  # a client's own default is what null stands for
        document["reason"] = Reason.DEFAULT.value if resolution.reason is Reason.STATIC else reason
    else:
        document |= {"value": fragment(as_served(resolution.value, effective)), "reason": reason}
    return encode(document | {"variant": resolution.variant or NAMELESS, "metadata": _metadata(resolution)})


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

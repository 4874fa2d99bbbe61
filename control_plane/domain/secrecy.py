"""Values that look like secrets and are not stored as such, pure. What is found is named, never repeated."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from control_plane.domain.change import Op, Operation
from control_plane.domain.content import yields

_WORDS = re.compile(
    r"passw(or)?d|passphrase|secret|credential|(?<![a-z])tokens?(?![a-z]|[._-]?(ttl|limit|length|count|size|expir|lifetime|bucket|url))"
    r"|api[._-]?key|access[._-]?key|private[._-]?key|client[._-]?secret|(?<![a-z])pwd(?![a-z])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FORMS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("a private key", re.compile(rb"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----")),
    ("an AWS access key", re.compile(rb"\b(AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a GitHub token", re.compile(rb"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})")),
    ("a GitLab token", re.compile(rb"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a Slack token", re.compile(rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("a Stripe key", re.compile(rb"\b[sr]k_(live|test)_[A-Za-z0-9]{16,}")),
    ("a Google API key", re.compile(rb"\bAIza[A-Za-z0-9_-]{35}")),
    ("an npm token", re.compile(rb"\bnpm_[A-Za-z0-9]{36}")),
    ("a Trimtab token", re.compile(rb"\btrimtab_[a-z]+_[A-Za-z0-9_-]{40,}")),
    ("a JSON Web Token", re.compile(rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+")),
    (
        "a URL with a password",
        re.compile(rb"\b[a-z][a-z0-9+.-]{1,20}://[^/\s:@\"]{1,100}:[^/\s@\"]{1,200}@", re.IGNORECASE),
    ),
)
_NAMED = re.compile(rb'"([^"\\]{1,100})":"[^"]')
"""A member with a text in it that is not empty."""


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 - the product's word for it
    """Something that an operator should look at. `pointer` is that of the operation."""

    pointer: str
    detail: str


def bare_secrets(operations: Sequence[Operation]) -> Iterator[Warning]:
    """The operations that would store what looks like a secret for everybody to see."""
    for index, operation in enumerate(operations):
        if operation.op not in {Op.PUT, Op.ROLLOUT} or operation.sensitive:
            continue
        if (found := _looks_like(operation)) is not None:
            detail = f"{operation.key} looks like a secret ({found}) and is not `sensitive`: everybody can see it."
            yield Warning(f"/operations/{index}/sensitive", detail)


def _looks_like(operation: Operation) -> str | None:
    content = operation.value + b"\n" + operation.rollout
    for name, form in _FORMS:
        if form.search(content):
            return f"the value contains {name}"
    values = [each.value for each in yields(operation.kind, operation.value, operation.rollout)]
    if _is_telling(operation.key) and any(each.startswith(b'"') and each != b'""' for each in values):
        return "by its key"
    for member in (found for value in values for found in _NAMED.finditer(value)):
        if _is_telling(member[1].decode()):
            return "a member of the value, by its name"
    return None


def _is_telling(name: str) -> bool:
    return _WORDS.search(_CAMEL.sub("_", name)) is not None

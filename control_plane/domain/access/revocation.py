"""What ends a token before its time, pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_TOKEN = timedelta(hours=24)
"""How long a token can live at most: so long a revocation is remembered."""
HEARD_WITHIN = timedelta(seconds=5)
"""Until every replica knows of a revocation, whatever its clock says: what one that does not issues meanwhile ends as well."""
SUBJECT_BYTES = 2_600
"""So long an index of PostgreSQL can take it."""
_SUBJECT = re.compile(r"(token|principal|credential):[!-~]{1,500}|agent:[a-z0-9-]+/[a-z0-9-]+/[^\0]+")
"""One token, all of a principal's, all that were given for a credential, all of an agent's: its instance is any text."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Tokens of `subject` that were issued before `before` are no good any more."""

    subject: str
    before: datetime
    revoked_by: str
    reason: str = ""


def is_subject(text: str) -> bool:
    """Whether a revocation can name this."""
    return _SUBJECT.fullmatch(text) is not None and len(text.encode()) <= SUBJECT_BYTES


def is_revoked(before: Mapping[str, datetime], subjects: Iterable[str], issued_at: datetime) -> bool:
    """Whether one of the revocations (by subject: before when) ends a token. Times of tokens are whole seconds."""
    return any((until := before.get(each)) is not None and issued_at < until for each in subjects)

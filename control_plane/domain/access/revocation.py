"""What ends a token before its time, pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_TOKEN = timedelta(hours=24)
"""How long a token can live at most: so long a revocation is remembered."""
HEARD_WITHIN = timedelta(seconds=5)
"""Until every replica knows of a revocation, whatever its clock says: what one that does not issues meanwhile ends as well."""
SUBJECT = re.compile(r"(token|principal|credential|agent):[!-~]{1,400}")
"""What a revocation names: one token, all of a principal's, all that were given for a credential, all of an agent's."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Tokens of `subject` that were issued before `before` are no good any more."""

    subject: str
    before: datetime
    revoked_by: str
    reason: str = ""


def is_revoked(before: Mapping[str, datetime], subjects: Iterable[str], issued_at: datetime) -> bool:
    """Whether one of the revocations (by subject: before when) ends a token. Times of tokens are whole seconds."""
    return any((until := before.get(each)) is not None and issued_at < until for each in subjects)

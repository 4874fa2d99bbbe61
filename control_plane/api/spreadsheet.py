"""Audit records as a table that spreadsheets can open without running anything of it."""

import csv
from collections.abc import AsyncIterator
from io import StringIO

from shared.domain.codec import Json, decode, encode

COLUMNS = (
    *("seq", "at", "actor", "role", "address", "user_agent", "request_id", "source", "action", "object", "outcome"),
    *("revision", "detail", "previous_hash", "hash"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def table(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of an export as CSV (RFC 4180), with a row of names first."""
    yield _written([list(COLUMNS)])
    async for some in lines:
        yield _written([_row(decode(line)) for line in some.splitlines()])


def _row(record: Json) -> list[str | int]:
    record["detail"] = encode(record["detail"]).decode()
    return [_cell(record.get(name)) for name in COLUMNS]


def _cell(value: Json) -> str | int:
    """A cell. A text that a program would take for a formula gets an apostrophe before it, which makes it a text."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _written(rows: list[list[str | int]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()

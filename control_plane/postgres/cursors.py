"""Cursors of lists: the last row's sort key, opaque to whoever carries it back."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

import asyncpg

from control_plane.domain.errors import InvalidError
from control_plane.ports.pages import Page
from shared.domain.codec import Json, MalformedJsonError, decode, encode
from shared.wire.problem import Violation

T = TypeVar("T")

BEFORE_ALL = 2**63 - 1
"""Where a list that runs backwards begins."""


def write_cursor(*position: str | int) -> str:
    """A cursor that stands at `position`."""
    return base64.urlsafe_b64encode(encode(position)).decode().rstrip("=")


def read_cursor(cursor: str | None, start: Sequence[str | int]) -> list[Json]:
    """The position that a cursor stands at, or `start` without one.

    Raises:
        InvalidError: it is not a cursor of such a list.
    """
    if cursor is None:
        return list(start)
    try:
        position = decode(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, MalformedJsonError, ValueError) as error:
        raise _not_a_cursor() from error
    if not isinstance(position, list) or [type(each) for each in position] != [type(each) for each in start]:
        raise _not_a_cursor()
    return position


def page(rows: Sequence[asyncpg.Record], limit: int, read: Callable[[asyncpg.Record], T], *sort_key: str) -> Page[T]:
    """A page of `limit` from one row more than that."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(
        tuple(read(row) for row in shown), write_cursor(*(shown[-1][each] for each in sort_key)) if more else None
    )


def _not_a_cursor() -> InvalidError:
    return InvalidError([Violation("?cursor", "is not a cursor that this list gave out")])

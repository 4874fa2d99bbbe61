"""Pages of lists that are short enough to be read whole; the database cuts the long ones itself."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

from control_plane.api.bodies.pages import PageQuery, PageView
from control_plane.api.call import B, Call
from control_plane.domain.errors import InvalidError
from shared.wire.problem import Violation

T = TypeVar("T")
V = TypeVar("V")
Q = TypeVar("Q", bound=PageQuery)

Position: TypeAlias = tuple[str, ...]
"""By what a list is ordered; no two items have the same."""


def cut_page(
    call: Call[B, Q], items: Iterable[T], place: Callable[[T], Position], show: Callable[[T], V]
) -> PageView[V]:
    """The page that the call asks for, in the order of the places."""
    size, after = call.page_size(call.query.limit), read_cursor(call.query.cursor)
    rest = sorted((each for each in items if place(each) > after), key=place)
    following = write_cursor(place(rest[size - 1])) if len(rest) > size else None
    return PageView(tuple(map(show, rest[:size])), following)


def write_cursor(place: Position) -> str:
    """A cursor that stands at a place."""
    return urlsafe_b64encode("\n".join(place).encode()).decode()


def read_cursor(cursor: str | None) -> Position:
    """The place of a cursor; nothing without one.

    Raises:
        InvalidError: it is none of ours.
    """
    if cursor is None:
        return ()
    try:
        return tuple(b64decode(cursor, b"-_", validate=True).decode().split("\n"))
    except ValueError as error:
        raise InvalidError([Violation("?cursor", "not a cursor of this list")]) from error

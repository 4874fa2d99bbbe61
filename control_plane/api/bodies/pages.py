"""Lists come in pages: how to ask for one, and what one looks like."""

from dataclasses import dataclass
from typing import Annotated, Generic, TypeAlias, TypeVar

from pydantic import AfterValidator, Field

from control_plane.api.bodies.fields import Query, without_nul

T = TypeVar("T")


Param: TypeAlias = Annotated[str, AfterValidator(without_nul), Field(max_length=500)]
"""A text in a query."""
LabelFilters: TypeAlias = Annotated[tuple[Param, ...], Field(max_length=20)]
"""Labels in a query: `name` or `name:value`, one by one."""


def labels_asked(filters: LabelFilters) -> dict[str, str | None]:
    """Which labels are asked for, each with its value or None for any."""
    split = (each.partition(":") for each in filters)
    return {name: value if colon else None for name, colon, value in split}


class PageQuery(Query):
    """Which page of a list, and how long."""

    limit: Annotated[int | None, Field(ge=1)] = None
    """How many items at most."""
    cursor: Param | None = None
    """The `next_cursor` of the page before."""


@dataclass(frozen=True, slots=True)
class PageView(Generic[T]):
    """One page of a list. `next_cursor` is null on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None

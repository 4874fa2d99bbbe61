"""A table of results, in Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Table:
    """Rows of numbers and words under a title."""

    title: str
    columns: Sequence[str]
    rows: list[tuple[float | str, ...]] = field(default_factory=list)

    def add(self, *cells: float | str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def __str__(self) -> str:
        lines = [
            list(self.columns),
            ["---:"] * len(self.columns),
            *([shown(cell) for cell in row] for row in self.rows),
        ]
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(each)} |" for each in lines)])


def shown(cell: float | str) -> str:
    """A number as people read it."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or cell.is_integer():
        return f"{int(cell):,}"
    return f"{cell:,.2f}" if abs(cell) >= 1 else f"{cell:.3g}"

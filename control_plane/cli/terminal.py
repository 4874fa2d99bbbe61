"""What the commands say: results to standard output, everything else to standard error, no traceback for an operator.

What others wrote may be in it: messages, descriptions, what agents report. On a terminal it is shown, and commands nothing.
"""

import sys
from typing import NoReturn

from shared.domain.codec import Json, encode
from shared.wire.text import visible

_LAYOUT = "\n\t"
EXIT_FAILURE = 1
EXIT_USAGE = 2


def show(line: str) -> None:
    """A result. In a pipe or a file it is what it is."""
    sys.stdout.write(f"{visible(line, _LAYOUT) if sys.stdout.isatty() else line}\n")
    sys.stdout.flush()


def show_json(document: Json) -> None:
    """A result for a program."""
    show(encode(document).decode())


def tell(line: str) -> None:
    """Progress, or a remark."""
    sys.stderr.write(f"{visible(line, _LAYOUT)}\n")
    sys.stderr.flush()


def fail(reason: str, code: int = EXIT_FAILURE) -> NoReturn:
    """Say why it did not work, and end."""
    tell(f"trimtab: {reason}")
    raise SystemExit(code)


def show_table(columns: list[str], rows: list[list[str]]) -> None:
    """A result for a person: aligned on a terminal, tab-separated in a pipe."""
    rows = [[visible(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in rows:
            show("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415 - a third of the start-up time
    from rich.table import Table  # noqa: PLC0415

    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(markup=False).print(table)

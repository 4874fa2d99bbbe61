"""How a command speaks to whoever typed it: one line for each thing that is wrong, and exit codes that tell."""

import sys

from shared.wire.text import visible

_LAYOUT = "\n\t"

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


def say(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"trimtab-agent: {visible(line, _LAYOUT)}\n")


def print_line(line: str) -> None:
    """One line on standard output: what was asked for. On a terminal it is shown, and commands nothing."""
    sys.stdout.write(f"{visible(line, _LAYOUT) if sys.stdout.isatty() else line}\n")

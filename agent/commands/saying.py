"""How a command speaks to whoever typed it: one line for each thing that is wrong, and exit codes that tell."""

import sys

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


def say(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"trimtab-agent: {line}\n")


def print_line(line: str) -> None:
    """One line on standard output: what was asked for."""
    sys.stdout.write(f"{line}\n")

"""A process that reads a published pair again and again: `python -m tests.rig.reading DIRECTORY`, until its input ends.

It prints how often it read, and the revisions that it saw first and last. It ends with 1 as soon as something is not whole,
or not of one revision, or older than what it saw before.
"""

import os
import select
import sys
from pathlib import Path

import orjson

from agent.files.generations import CURRENT
from tests.rig.publishing import FILES


def read(directory: Path) -> set[int]:
    """The revisions in both files of what is published now, as whoever opens the directory first sees them."""
    opened = os.open(directory / CURRENT, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return {_revision(opened, name) for name in FILES}
    finally:
        os.close(opened)


def _revision(directory: int, name: str) -> int:
    with open(os.open(name, os.O_RDONLY, dir_fd=directory), "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        return int(orjson.loads(file.read())["revision"])


def main(directory: Path) -> int:
    """Read until nobody wants it any more."""
    times, first, last = 0, 0, 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            seen = read(directory)
        except FileNotFoundError:  # older than all generations that are kept, so long did it take us
            continue
        if len(seen) != 1 or (now := seen.pop()) < last:
            sys.stdout.write(f"saw {seen} after {last}\n")
            return 1
        times, first, last = times + 1, first or now, now
        if times == 1:
            sys.stdout.write("reading\n")
            sys.stdout.flush()
    sys.stdout.write(f"{times} {first} {last}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

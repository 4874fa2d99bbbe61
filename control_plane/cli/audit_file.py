"""Exports of the audit chain as files: written whole or not at all, and checked with nothing but the file."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from control_plane.cli.terminal import EXIT_USAGE, fail
from control_plane.domain.audit import Break, Chain, Link, Sealed


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file was found to be: from which record to which, and the first thing wrong with it."""

    first: int
    count: int
    last: Link | None
    broken: Break | None


def check_file(path: Path, start: bytes | None, end: bytes | None) -> Checked:
    """Follow the chain through a file; `start` is the hash before its first line, `end` that of its last one."""
    chain, first, broken = Chain(), 0, None
    try:
        with path.open("rb") as file:
            for line in file:
                if not first:
                    first = _first(line)
                    chain.last = Link(first - 1, start) if start is not None and first else None
                if broken := chain.follow(line.removesuffix(b"\n")):
                    break
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}", EXIT_USAGE)
    if broken is None and end is not None and chain.last is not None:
        broken = chain.end(Link(chain.last.seq, end))
    return Checked(first, chain.count, chain.last, broken)


def write_whole(path: Path, blocks: Iterable[bytes]) -> None:
    """Write a new file; if it cannot be finished there is none. One that is there already is left alone."""
    if path.exists():
        fail(f"{path} is there already: an export is never written over", EXIT_USAGE)
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            for block in blocks:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
    finally:
        draft.unlink(missing_ok=True)


def _first(line: bytes) -> int:
    record = Sealed.read(line.removesuffix(b"\n"))
    return record.seq if record else 0

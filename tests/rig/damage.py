"""Good inputs, damaged: what whoever reads what others wrote is tried with."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from shared.domain.codec import decode, encode
from tests.rig.good_requests import FLAG, SEGMENT

DAMAGES = 20
"""Damaged inputs of one example, all from its seed."""

_BYTES = (
    b"\0",
    b"\xff",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\n\n",
    b"\\ud800",
    b"1e999",
    b"-1",
    b"null",
    b"99999999999999999999",
)


def damaged(good: bytes, seed: int) -> Iterator[bytes]:
    """A good input with a few of its bytes changed, cut, doubled, moved or replaced."""
    random = Random(seed)  # noqa: S311 - to be repeated
    for _ in range(DAMAGES):
        found = bytearray(good)
        for _ in range(random.randint(1, 4)):
            at, end = sorted(random.randint(0, len(found)) for _ in range(2))
            match random.randrange(6):
                case 0 if found:
                    found[min(at, len(found) - 1)] ^= 1 << random.randrange(8)
                case 1:
                    del found[at : min(end, at + 8)]
                case 2:
                    found[at:at] = random.choice(_BYTES)
                case 3:
                    found[at:at] = found[at : min(end, at + 64)]
                case 4:
                    found[at : at + 1] = random.randbytes(random.randint(0, 3))
                case _:
                    del found[at:]
        yield bytes(found)


def documents(good: Any, seed: int) -> Iterator[Any]:
    """A good document with a few of its members replaced."""
    random = Random(seed)  # noqa: S311 - as above
    odd = [None, True, -1, 2**63, 1e308, "", "a", "\0", [], {}, [[]], {"a": {}}, "x" * 300, FLAG, SEGMENT, good]
    for _ in range(DAMAGES):
        found = decode(encode(good))
        for _ in range(random.randint(1, 3)):
            here, step = found, None
            while isinstance(here, (dict, list)) and here:
                above, step = here, random.choice(list(here) if isinstance(here, dict) else list(range(len(here))))
                here = here[step]
                if random.random() < 0.3:
                    break
            strange = decode(encode(random.choice(odd)))
            if step is None:
                found = strange
            elif random.random() < 0.2:
                del above[step]
            else:
                above[step] = strange
        yield found


def try_all(tried: list[int], inputs: Iterator[Any], read: Callable[[Any], bool]) -> None:
    """Read each; whether it was accepted is counted."""
    for each in inputs:
        tried[0] += 1
        tried[1] += read(each)

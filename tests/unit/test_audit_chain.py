"""Checking an export with nothing but the export."""

import hashlib

import pytest

from control_plane.domain.audit import Break, Chain, Flaw, Link
from shared.domain.codec import decode
from tests.audit_chain import rewritten, sealed

FIRST = Link.first("11111111-2222-3333-4444-555555555555")


def _line(seq: int, previous: str, text: str = "ä") -> bytes:
    bare = f'{{"at": "2026-01-01T00:00:00.000000+00:00", "seq": {seq}, "detail": {{"text": "{text}"}}}}'.encode()
    return sealed(bare[:-1] + b"x" * 162, previous)


def _chain(count: int = 6) -> list[bytes]:
    lines: list[bytes] = []
    for seq in range(1, count + 1):
        lines.append(_line(seq, decode(lines[-1])["hash"] if lines else FIRST.hash.hex()))
    return lines


def _broken(lines: list[bytes], anchor: Link | None = FIRST, head: Link | None = None) -> tuple[int, Flaw] | None:
    chain = Chain(anchor)
    found: Break | None = None
    for line in lines:
        found = found or chain.follow(line)
    if found is None and head is not None:
        found = chain.end(head)
    return (found.seq, found.flaw) if found else None


def _head(lines: list[bytes]) -> Link:
    last = decode(lines[-1])
    return Link(last["seq"], bytes.fromhex(last["hash"]))


def test_a_chain_that_nobody_touched_is_whole() -> None:
    lines = _chain()
    assert _broken(lines, FIRST, _head(lines)) is None
    assert _broken(lines[3:], None) is None
    assert _broken(lines[3:], _head(lines[:3]), _head(lines)) is None


def test_each_kind_of_tampering_is_found_at_the_first_record_that_is_wrong() -> None:
    lines, head = _chain(), _head(_chain())
    altered = lines[2].replace("ä".encode(), b"b")
    forged = sealed(altered, decode(lines[2])["previous_hash"])
    cases = {
        "altered": ([*lines[:2], altered, *lines[3:]], (3, Flaw.ALTERED)),
        "altered with a new hash": ([*lines[:2], forged, *lines[3:]], (4, Flaw.UNLINKED)),
        "one deleted": ([*lines[:2], *lines[3:]], (3, Flaw.MISSING)),
        "the first deleted": (lines[1:], (1, Flaw.MISSING)),
        "the end deleted": (lines[:4], (5, Flaw.TRUNCATED)),
        "all deleted": ([], (1, Flaw.TRUNCATED)),
        "two in the wrong order": ([lines[0], lines[2], lines[1], *lines[3:]], (2, Flaw.MISSING)),
        "one moved to the end": ([*lines[:2], *lines[3:], lines[2]], (3, Flaw.MISSING)),
        "one repeated": ([*lines[:3], lines[2], *lines[3:]], (3, Flaw.MISPLACED)),
        "one put in": ([*lines[:3], _line(4, decode(lines[2])["hash"], "forged"), *lines[3:]], (4, Flaw.MISPLACED)),
        "one added": ([*lines, _line(7, decode(lines[5])["hash"])], (7, Flaw.MISPLACED)),
        "the rest written anew": (rewritten([*lines[:2], altered, *lines[3:]], 2), (6, Flaw.REWRITTEN)),
        "all of it written anew": (rewritten([sealed(lines[0], "00" * 32), *lines[1:]], 1), (1, Flaw.UNLINKED)),
        "another's line": ([*lines[:3], b'{"seq": 4}', *lines[4:]], (4, Flaw.UNREADABLE)),
    }
    for name, (tampered, expected) in cases.items():
        assert _broken(tampered, FIRST, head) == expected, name


def test_without_its_first_line_or_head_an_export_is_whole_as_far_as_it_goes() -> None:
    lines = _chain()
    assert _broken(lines[2:], None) is None
    assert _broken(lines[:4]) is None


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"x" * 200, _line(1, FIRST.hash.hex())[:-1], b"[1]" + _line(1, FIRST.hash.hex())[-162:]]
)
def test_what_is_no_line_of_an_export_is_unreadable(line: bytes) -> None:
    assert _broken([line]) == (1, Flaw.UNREADABLE)


def test_the_first_link_is_the_hash_of_the_installation() -> None:
    assert FIRST.hash == hashlib.sha256(b"11111111-2222-3333-4444-555555555555").digest()

"""Long lists of texts as sorted digests: five bytes for each of 100,000 users instead of a text, found by bisection.

The form is base64 of one byte, the width, and that many bytes (little-endian) for each member: the first digest, then
what each next one adds. A digest is the first 48 bits of a text's BLAKE2b with a digest of six bytes, big-endian.
Somebody who is not in a list of n is taken for a member with a probability of n / 2^48: 4 in 10,000,000,000 for 100,000.
"""

import binascii
import sys
from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise

MAX_MEMBERS = 1_000_000
"""Members of one list."""

_BYTES = 6
_BITS = 8 * _BYTES
_WORD = 8
_WIDEST = _BYTES * MAX_MEMBERS + 1


class MalformedMembersError(ValueError):
    """A text is no list of members."""


def digest(text: str) -> int:
    """48 bits that stand for a text.

    Raises:
        UnicodeEncodeError: it has half of a surrogate pair.
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=_BYTES).digest())


def encode_members(texts: Iterable[str]) -> str:
    """The list of some texts, in whichever order they come.

    Raises:
        ValueError: there are none, or too many, or one has half of a surrogate pair.
    """
    digests = sorted({digest(each) for each in texts})
    if not 0 < len(digests) <= MAX_MEMBERS:
        msg = f"a list has from 1 to {MAX_MEMBERS:,} members, not {len(digests):,}"
        raise ValueError(msg)
    added = [digests[0], *(later - earlier for earlier, later in pairwise(digests))]
    width = max(1, (max(added).bit_length() + 7) // 8)
    return b64encode(bytes([width]) + b"".join(each.to_bytes(width, "little") for each in added)).decode()


def decode_members(text: str) -> Sequence[int]:
    """The digests of a list, rising.

    Raises:
        MalformedMembersError: it is none, or has too many members.
    """
    if len(text) > _WIDEST * 4 // 3 + 4:
        msg = f"has more than {MAX_MEMBERS:,} members"
        raise MalformedMembersError(msg)
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "is not base64"
        raise MalformedMembersError(msg) from error
    width = data[0] if data else 0
    if not 1 <= width <= _BYTES or len(data) == 1 or (len(data) - 1) % width:
        msg = "is not a list of members: a byte with their width, then each"
        raise MalformedMembersError(msg)
    return _summed(data[1:], width)


def member_test(digests: Sequence[int]) -> Callable[[str], bool]:
    """Whether a text is in a list; no text makes it raise."""
    size = len(digests)

    def is_member(text: str) -> bool:
        try:
            wanted = int.from_bytes(blake2b(text.encode(), digest_size=_BYTES).digest())
        except UnicodeEncodeError:
            return False
        index = bisect_left(digests, wanted)
        return index < size and digests[index] == wanted

    return is_member


def _summed(data: bytes, width: int) -> Sequence[int]:
    """The sums of what each member adds: byte by byte of all members at once, which takes no loop over them."""
    words = bytearray(len(data) // width * _WORD)
    for index in range(width):
        words[index::_WORD] = data[index::width]
    added: array[int] = array("Q", bytes(words))
    if sys.byteorder == "big":
        added.byteswap()
    if len(added) > MAX_MEMBERS:
        msg = f"has more than {MAX_MEMBERS:,} members"
        raise MalformedMembersError(msg)
    try:
        digests: array[int] = array("Q", accumulate(added))
    except OverflowError:
        digests = array("Q", [1 << _BITS])
    if digests[-1] >> _BITS:
        msg = f"is not a list of members: their digests have {_BITS} bits"
        raise MalformedMembersError(msg)
    return digests

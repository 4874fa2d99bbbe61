"""Where a unit falls between 0 and 99,999: the one place that decides who is in a share and who is not.

Our own bucketing, and those of other products for teams that move from one: whoever was in stays in. Each is a pure
function of a salt and a text, which is encoded here: the library for MurmurHash3 brings the process down if it is given
a text that cannot be. `docs/evaluation.md` says for each what its salt is and how a share becomes a weight.
"""

import hashlib
import struct
from collections.abc import Callable, Mapping
from typing import TypeAlias

from mmh3 import mmh3_32_uintdigest as murmur3

from shared.domain.codec import Json

WHOLE = 100_000
"""The weight of everybody; a bucket is below it."""

DEFAULT = "trimtab"
"""The bucketing of who names none."""

Bucket: TypeAlias = Callable[[str], int]
"""The bucket of a unit's text under some salt.

Raises:
    UnicodeEncodeError: the text has half of a surrogate pair, which no encoding of Unicode allows.
"""

_VARIANTS_SEED = 86_028_157
_VARIANTS_TOTAL = 1_000
"""Unleash chooses rollouts and variants independently: another seed, and variants in tenths of a percent."""

_SHA1_DIGITS = 15
_SHA1_WHOLE = 0xFFFFFFFFFFFFFFF

_FNV_OFFSET, _FNV_PRIME, _U32 = 0x811C9DC5, 0x01000193, 0xFFFFFFFF

_WIDEST = 2**64
"""Whole numbers from here on are no JSON that anybody else could read."""
_EXACT = 2**53
"""From here on not every whole number has a float of its own."""


def unit_text(value: Json) -> str | None:
    """The text that is bucketed: strings as they are, whole numbers in decimal; None if the value is no unit."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < _WIDEST else None
    if isinstance(value, float) and abs(value) <= _EXACT and value.is_integer():
        return str(int(value))
    return None


def trimtab(salt: str) -> Bucket:
    """Ours: 32 bits of MurmurHash3 over `salt:unit`, spread evenly."""
    prefix = f"{salt}:"
    return lambda unit: (murmur3((prefix + unit).encode()) * WHOLE) >> 32


def unleash(salt: str) -> Bucket:
    """Unleash's gradual rollout: whole percents. The salt is the `groupId`."""
    return lambda unit: murmur3(f"{salt}:{unit}".encode()) % 100 * 1_000


def unleash_variants(salt: str) -> Bucket:
    """Unleash's variants: tenths of a percent. The salt is the `groupId`, which is the toggle's name."""
    step = WHOLE // _VARIANTS_TOTAL
    return lambda unit: murmur3(f"{salt}:{unit}".encode(), _VARIANTS_SEED) % _VARIANTS_TOTAL * step


def launchdarkly(salt: str) -> Bucket:
    """LaunchDarkly's: the salt is `flagKey.salt`, or the rollout's seed in decimal."""

    def bucket(unit: str) -> int:
        digits = hashlib.sha1(f"{salt}.{unit}".encode(), usedforsecurity=False).hexdigest()[:_SHA1_DIGITS]
        return min(int(digits, 16) * WHOLE // _SHA1_WHOLE, WHOLE - 1)

    return bucket


def growthbook(salt: str) -> Bucket:
    """GrowthBook's with `hashVersion` 2: hundredths of a percent. The salt is the rule's seed."""
    return lambda unit: _fnv1a32(str(_fnv1a32(salt + unit))) % 10_000 * 10


def growthbook_v1(salt: str) -> Bucket:
    """GrowthBook's with `hashVersion` 1: tenths of a percent. The salt is the rule's seed."""
    return lambda unit: _fnv1a32(unit + salt) % 1_000 * 100


def flagd(salt: str) -> Bucket:
    """The `fractional` of flagd, version 2: it hashes the concatenation. The salt is the flag's key."""
    return lambda unit: (murmur3((salt + unit).encode()) * WHOLE) >> 32


def flagd_cbor(salt: str) -> Bucket:
    """The `fractional` of flagd where it hashes canonical CBOR of a list of two texts. The salt is the first one."""
    head = b"\x82" + _cbor_text(salt)
    return lambda unit: (murmur3(head + _cbor_text(unit)) * WHOLE) >> 32


BUCKETINGS: Mapping[str, Callable[[str], Bucket]] = {
    DEFAULT: trimtab,
    "unleash": unleash,
    "unleash-variants": unleash_variants,
    "launchdarkly": launchdarkly,
    "growthbook": growthbook,
    "growthbook-v1": growthbook_v1,
    "flagd": flagd,
    "flagd-cbor": flagd_cbor,
}
"""By the names that flags and exposures use."""


def _fnv1a32(text: str) -> int:
    """FNV-1a over UTF-16 code units, as a script in a browser sees them."""
    data = text.encode("utf-16-le")
    value = _FNV_OFFSET
    for (unit,) in struct.iter_unpack("<H", data):
        value = ((value ^ unit) * _FNV_PRIME) & _U32
    return value


def _cbor_text(text: str) -> bytes:
    """One text as canonical CBOR: its length in as few bytes as it takes, then itself."""
    data = text.encode()
    length = len(data)
    if length < 24:  # noqa: PLR2004 - what fits into the first byte beside the type
        return bytes([0x60 | length]) + data
    size = next(size for size in (1, 2, 4) if length < 1 << 8 * size)
    return bytes([0x78 + (size // 2)]) + length.to_bytes(size) + data

"""What replicas share in a cache, closed so that nobody else can put anything there in its place."""

import logging

from control_plane.metrics import Metrics
from control_plane.services.keys.signatures import Signatures
from shared.wire.signature import About, Signature

_LONGEST_LABEL = 256

_log = logging.getLogger(__name__)


class Shelf:
    """A signature before the bytes: of one of our keys, over them and the name under which they lie."""

    def __init__(self, signatures: Signatures | None, metrics: Metrics) -> None:
        self._signatures, self._refused = signatures, metrics.cache_refused

    def closed(self, name: str, packed: bytes) -> bytes:
        """What is put there."""
        if self._signatures is None:
            return packed
        return f"{self._signatures.sign(About.CACHE, name, packed)}\n".encode() + packed

    def opened(self, name: str, found: bytes | None) -> bytes | None:
        """What was put there; None for nothing, and for what no replica put there."""
        if found is None or self._signatures is None:
            return found
        label, _, packed = found[:_LONGEST_LABEL].partition(b"\n")
        packed = found[len(label) + 1 :]
        try:
            good = self._signatures.good(About.CACHE, name, packed, Signature.parse(label.decode("ascii")))
        except ValueError:
            good = False
        if good:
            return packed
        self._refused.inc()
        _log.error("a cached snapshot was not put there by a replica; it is not used", extra={"name_in_cache": name})
        return None

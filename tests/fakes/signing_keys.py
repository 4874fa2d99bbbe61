"""Signing keys and revocations in memory."""

from datetime import datetime, timedelta

from control_plane.domain.access.revocation import HEARD_WITHIN, Revocation
from control_plane.domain.attribution import Attribution
from control_plane.domain.keys import Purpose, SigningKeyRecord, WrappedKey
from shared.runtime.clock import Clock


class FakeSigningKeys:
    """Each generation once (port `SigningKeyStore`)."""

    def __init__(self) -> None:
        self._records: dict[tuple[Purpose, int], SigningKeyRecord] = {}

    async def list(self, purpose: Purpose) -> list[SigningKeyRecord]:
        return [each for (own, _), each in sorted(self._records.items()) if own is purpose]

    async def add(self, record: SigningKeyRecord, by: Attribution) -> None:
        _ = by
        self._records.setdefault((record.purpose, record.generation), record)

    async def rewrap(self, record: SigningKeyRecord, private: WrappedKey) -> None:
        raise NotImplementedError

    async def prune(self, purpose: Purpose, before: datetime) -> None:
        _ = purpose, before


class FakeRevocations:
    """Port `Revocations`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: list[Revocation] = []

    async def list(self) -> list[Revocation]:
        return list(self._kept)

    async def add(self, subject: str, reason: str, by: Attribution, ahead: timedelta = HEARD_WITHIN) -> Revocation:
        made = Revocation(subject, self._clock.now() + ahead, by.principal, reason)
        self._kept.append(made)
        return made

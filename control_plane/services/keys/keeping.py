"""The installation's keys as operators keep them: how they stand, and replacing them while everything goes on."""

from control_plane.domain.attribution import Attribution
from control_plane.domain.keys import Purpose
from control_plane.domain.sealing import SealingStatus
from control_plane.ports.keys import KeyEncryption, Renewal
from control_plane.services.audit import Audit
from control_plane.services.keys.signing import SigningKeys


class KeyKeeping:
    """Shows and replaces keys. What lies under an old key is sealed anew in the background, by whichever replica leads that."""

    def __init__(self, renewal: Renewal, signing: SigningKeys, encryption: KeyEncryption, audit: Audit) -> None:
        self._renewal, self._signing, self._encryption, self._audit = renewal, signing, encryption, audit

    async def status(self) -> SealingStatus:
        """Under which keys sensitive values lie."""
        return await self._renewal.status()

    async def rotate_data_keys(self, by: Attribution) -> int:
        """Replace the data keys of all scopes; how many that concerns."""
        await self._audit.record(by, "keys.rotated", "keys:data", {})
        return await self._renewal.retire()

    async def rotate_signing_key(self, purpose: Purpose, by: Attribution, *, at_once: bool) -> None:
        """Make the next signing key of a purpose; that is audited where it is written."""
        await self._signing.rotate(purpose, by, at_once=at_once)

    async def rewrap(self) -> int:
        """Encrypt all keys by the present key-encryption key; how many were by another."""
        await self._encryption.look()
        return await self._renewal.rewrap() + await self._signing.rewrap()

"""What is known of how sensitive values lie: under which keys, and whether all of them do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key-encryption key: how many keys it encrypts that are in use, and that were replaced. `known`: whether we have it."""

    id: str
    present: int
    retired: int
    known: bool


@dataclass(frozen=True, slots=True)
class SealingStatus:
    """Of `sensitive` versions of configs, `outdated` ones lie in clear or under keys that were replaced."""

    encrypts: str
    keys: tuple[KeyUse, ...]
    sensitive: int
    outdated: int

    @property
    def lost(self) -> tuple[str, ...]:
        """Key-encryption keys that something is encrypted under, and that are not there."""
        return tuple(each.id for each in self.keys if not each.known)

"""Why a hook is called, as it is told: which set, at which revision, for which files and configs. Never their values."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.files.rendering import Content
from shared.domain.codec import Json

MAX_LISTED = 500
"""Files and keys that are told, each; a program's environment has an end."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """`files` are those that were written, `keys` the configs in them."""

    file_set: str
    revision: int
    files: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, file_set: str, revision: int, contents: Mapping[str, Content], differing: list[str]) -> "Occasion":
        """The publication of a set of which these files differ."""
        keys = dict.fromkeys(key for name in differing for key in contents[name].keys)
        return cls(file_set, revision, tuple(differing[:MAX_LISTED]), tuple(sorted(keys))[:MAX_LISTED])

    @property
    def environ(self) -> dict[str, str]:
        """As variables of a program."""
        return {
            "TRIMTAB_SET": self.file_set,
            "TRIMTAB_REVISION": str(self.revision),
            "TRIMTAB_FILES": "\n".join(self.files),
            "TRIMTAB_KEYS": " ".join(self.keys),
        }

    @property
    def document(self) -> dict[str, Json]:
        """As the body of a POST."""
        return {
            "set": self.file_set,
            "revision": self.revision,
            "files": list(self.files),
            "keys": list(self.keys),
        }

"""Where a process of ours listens, as text and as parts. Imports nothing heavy: a health command reads it too."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen: `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/trimtab/agent.sock`."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Read one of the forms above.

        Raises:
            ValueError: it is none of them.
        """
        if text.startswith("unix:"):
            return cls(path=Path(text.removeprefix("unix:")))
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal() or not 0 <= int(port) <= 65_535:  # noqa: PLR2004 - a port is 16 bits
            msg = f"{text!r} is not host:port or unix:/path"
            raise ValueError(msg)
        return cls(host=host.strip("[]"), port=int(port))

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.path is not None or self.host in {"localhost", "::1"} or self.host.startswith("127.")

    def __str__(self) -> str:
        """The form that `parse` reads."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

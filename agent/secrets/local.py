"""Secrets of this machine: files in allowed directories, and the agent's own variables by allowed names."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import anyio.to_thread

from agent.secrets.provider import MAX_SECRET, Fetched
from shared.runtime.keepers.asking import SecretError


class FileSecrets:
    """Files below the allowed directories, the first that has it; also where something links, as Kubernetes' mounts do."""

    often = True

    def __init__(self, directories: Iterable[Path]) -> None:
        self._directories = tuple(directories)

    async def fetch(self, source: Mapping[str, str]) -> Fetched:
        return Fetched(await anyio.to_thread.run_sync(self._read, source["path"]))

    async def renew(self, fetched: Fetched) -> Fetched:
        return fetched

    def _read(self, name: str) -> str:
        for directory in self._directories:
            try:
                allowed = directory.resolve(strict=True)
                found = (allowed / name).resolve(strict=True)
            except (OSError, RuntimeError):
                continue
            if not found.is_relative_to(allowed):
                why = "it leads out of the allowed directory"
                raise SecretError(why, denied=True)
            return _text(found)
        why = "there is no such file in the allowed directories"
        raise SecretError(why)


class VariableSecrets:
    """The variables that the agent was started with."""

    often = False

    def __init__(self, allowed: Iterable[str], environ: Mapping[str, str]) -> None:
        self._values = {name: environ[name] for name in allowed if name in environ}
        self._allowed = frozenset(allowed)

    async def fetch(self, source: Mapping[str, str]) -> Fetched:
        name = source["name"]
        if name not in self._allowed:
            why = "the agent may not read this variable (TRIMTAB_AGENT_SECRET_VARIABLES)"
            raise SecretError(why, denied=True)
        if name not in self._values:
            why = "the agent was started without this variable"
            raise SecretError(why, denied=True)
        return Fetched(self._values[name])

    async def renew(self, fetched: Fetched) -> Fetched:
        return fetched


def _text(path: Path) -> str:
    """What a file holds, without the end of its last line; never waits for a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            content = _content(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        why = f"it cannot be read ({error.strerror})"
        raise SecretError(why) from error
    if len(content) > MAX_SECRET:
        why = f"it has more than {MAX_SECRET:,} bytes"
        raise SecretError(why)
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        why = "it is no text"
        raise SecretError(why) from error


def _content(descriptor: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        why = "it is no file"
        raise SecretError(why)
    content = bytearray()
    while len(content) <= MAX_SECRET and (more := os.read(descriptor, MAX_SECRET + 1)):
        content += more
    return bytes(content)

"""Take up changed settings while running: told by SIGHUP, or because a file that they were read from changed.

A broken file changes nothing. What can only be taken up by a new start is said, and waits for it.
"""

import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from agent.life.service_manager import ServiceManager
from agent.settings.knobs import KNOBS
from agent.settings.load import SettingsError
from agent.settings.model import Settings
from agent.sync.remarks import Remarks

LOOK_EVERY = 1.0
"""Seconds between two looks at the files: right on every file system, and with a file that is mounted and swapped."""
KIND = "settings"
_BROKEN, _LATER = "broken", "restart"

Take = Callable[[Settings], None]
"""Takes up the settings that concern it. What it raises is a bug."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the settings come from: how they are read, and from which files."""

    read: Callable[[], Settings]
    files: tuple[Path, ...] = ()


class Reloading:
    """Reads again, compares, and hands on what changed. `takers` are by the names of settings; `asked` hears of each SIGHUP."""

    def __init__(
        self,
        settings: Settings,
        origin: Origin | None,
        takers: Mapping[str, Take],
        *,
        remarks: Remarks,
        manager: ServiceManager,
        by_signal: bool = True,
        asked: Callable[[], None] = lambda: None,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._settings, self._takers = settings, takers
        self._origin = origin or Origin(lambda: settings)
        self._remarks, self._manager = remarks, manager
        self._by_signal, self._asked, self._look_every = by_signal, asked, look_every
        self._wanted = anyio.Event()
        self._later: set[str] = set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Reload until cancelled."""
        async with anyio.create_task_group() as group:
            if self._by_signal:
                await group.start(self._hear)
            group.start_soon(self._watch, self._stamps())
            task_status.started()
            while True:
                await self._wanted.wait()
                self._wanted = anyio.Event()
                await self._reload()

    async def _hear(self, *, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGHUP) as signals:
            task_status.started()
            async for _ in signals:
                _log.info("told to read the settings again")
                self._wanted.set()
                self._asked()

    async def _watch(self, seen: list[object]) -> None:
        while self._origin.files:
            await anyio.sleep(self._look_every)
            stamps = await anyio.to_thread.run_sync(self._stamps)
            if stamps != seen:
                seen = stamps
                _log.info("a file of the settings changed")
                self._wanted.set()

    def _stamps(self) -> list[object]:
        return [_stamp(each) for each in self._origin.files]

    async def _reload(self) -> None:
        self._manager.reloading()
        try:
            found = await anyio.to_thread.run_sync(self._origin.read)
        except SettingsError as error:
            told = "; ".join(error.problems)
            self._remarks.tell(KIND, _BROKEN, f"{told}; what held before still holds")
        else:
            self._remarks.withdraw(KIND, _BROKEN)
            self._take(found)
        self._manager.reloaded()

    def _take(self, found: Settings) -> None:
        """Hand on what changed; say what has to wait."""
        changed = [
            each.name for each in fields(Settings) if getattr(found, each.name) != getattr(self._settings, each.name)
        ]
        for take in dict.fromkeys(self._takers[name] for name in changed if name in self._takers):
            self._guarded(take, found)
        self._later = {name for name in changed if name not in self._takers}
        taken = [name for name in changed if name in self._takers]
        if taken:
            _log.info("settings taken up", extra={"settings": taken})
        if self._later:
            names = ", ".join(KNOBS[name].variable for name in KNOBS if name in self._later)
            self._remarks.tell(KIND, _LATER, f"{names} changed, and will be taken up when the agent is started again")
        else:
            self._remarks.withdraw(KIND, _LATER)
        self._settings = _mixed(found, self._settings, self._later)

    def _guarded(self, take: Take, found: Settings) -> None:
        """A part that cannot take up what it was given must not end an agent that serves."""
        try:
            take(found)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest of the agent is well
            _log.exception("settings could not be taken up")
            self._remarks.tell(
                KIND, _BROKEN, f"a part could not take up its settings ({type(error).__name__}); see the log"
            )


def _mixed(found: Settings, held: Settings, later: set[str]) -> Settings:
    """What holds now: the new settings, but for those that wait."""
    return replace(found, **{name: getattr(held, name) for name in later})


def _stamp(path: Path) -> object:
    """What tells one state of a file from another; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

"""When the application's environment is another one, and has been the same for a while: bursts count once."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import anyio

from agent.files.dotenv import UnrenderableError
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.supervising.environment import Environment
from agent.sync.remarks import Remarks
from shared.runtime.clock import Clock, unix_ms

KIND = "exec"
_VALUES, _NAMES = "environment", "names"


class Changes:
    """Follows what readers see, and makes the environment of it when it has come to rest."""

    def __init__(
        self,
        environment: Environment,
        store: SnapshotStore,
        clock: Clock,
        remarks: Remarks,
        usage: Usage,
        *,
        quiet: float,
        max_wait: float,
    ) -> None:
        self._environment, self._store, self._clock = environment, store, clock
        self._remarks, self._usage = remarks, usage
        self._quiet, self._max_wait = quiet, max_wait
        self._stirred = anyio.Event()

    def now(self) -> dict[str, str] | None:
        """The environment of this moment; None where there is none, which is remarked."""
        try:
            found = self._environment.at(self._store.current, unix_ms(self._clock.now()))
        except UnrenderableError as error:
            told = f"{error}; until then the command keeps the environment that it has"
            self._remarks.tell(KIND, _VALUES, told, refuses=True)
            return None
        self._remarks.withdraw(KIND, _VALUES)
        self._tell_left_out()
        self._usage.rendered(self._environment.keys)
        return found

    async def other_than(self, running: Callable[[], Mapping[str, str]]) -> dict[str, str]:
        """Return once the environment is another one than the running, after a quiet time."""
        while True:
            await self._stirred.wait()
            await self._rest()
            found = self.now()
            if found is not None and found != running():
                return found

    @contextmanager
    def following(self) -> Iterator[None]:
        """Hear of changes until the block ends."""
        store = self._store
        with (
            store.subscribe(lambda _old, _new: self._stirred.set()),
            store.subscribe_time(lambda _snapshot, _keys: self._stirred.set()),
        ):
            yield

    async def _rest(self) -> None:
        """Until nothing stirred for a while, or it did for too long."""
        with anyio.move_on_after(self._max_wait):
            quiet = False
            while not quiet:
                self._stirred, quiet = anyio.Event(), True
                with anyio.move_on_after(self._quiet):
                    await self._stirred.wait()
                    quiet = False

    def _tell_left_out(self) -> None:
        if keys := self._environment.left_out:
            told = f"{', '.join(keys[:5])}: variables of these names decide what runs, so no config becomes one by its key; rename (--env-rename)"
            self._remarks.tell(KIND, _NAMES, told)
        else:
            self._remarks.withdraw(KIND, _NAMES)

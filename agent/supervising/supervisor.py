"""Run the application as our child: start it when there is something to start it with, follow changes, end as it ends."""

import logging
import signal
from collections.abc import Awaitable, Callable, Mapping

import anyio

from agent.supervising.changes import KIND, Changes
from agent.supervising.child import Child
from agent.supervising.environment import changed_names
from agent.supervising.plan import OnChange, Plan
from agent.sync.health import Health
from agent.sync.remarks import Remarks
from shared.runtime.clock import Clock, unix_ms

EXIT_NOT_READY = 124
"""There was nothing to start the command with, for as long as we were told to wait."""
EXIT_CANNOT_RUN = 126
EXIT_NOT_FOUND = 127
"""As a shell says them, and `env`, `timeout` and `docker run`."""
_BY_SIGNAL = 128

_AS_A_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
"""They go to what the command started as well: a shell waits for its program to end by them."""

_MAX_BACKOFF = 30.0
_ABOUT = "command"

_log = logging.getLogger(__name__)


class Supervisor:
    """One application, from its first start to its end.

    `health` is told how the command fares if nobody else asks it, `well` is called when it has run for a while, and
    `fall_back` may find it older values that it bore.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        plan: Plan,
        changes: Changes,
        *,
        remarks: Remarks,
        clock: Clock,
        health: Health | None = None,
        well: Callable[[], None] = lambda: None,
        fall_back: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._command, self._plan, self._changes = command, plan, changes
        self._remarks, self._clock, self._health, self._fall_back = remarks, clock, health, fall_back
        self._well = well
        self._variables: Mapping[str, str] = {}
        self._child: Child | None = None
        self._stop = anyio.Event()
        self._stopped_by = 0
        self._crashes = 0
        self._replacing = False
        """Whether we are ending the command to start it again."""

    async def run(self, until_ready: Callable[[], Awaitable[None]], why_not: Callable[[], str]) -> int:
        """Supervise; returns the exit code that is ours as well."""
        try:
            with self._changes.following():
                if not await self._first(until_ready):
                    return self._never_started(why_not())
                return await self._go_on()
        finally:
            if self._child is not None:
                with anyio.CancelScope(shield=True):
                    await self._child.stop(self._plan.kill_signal, self._plan.kill_timeout)

    def noticed(self) -> None:
        """Some child process ended."""
        if self._child is not None:
            self._child.noticed()

    def continued(self) -> None:
        """We were stopped, and go on."""
        if self._child is not None:
            self._child.continued()

    def signalled(self, number: int) -> None:
        """A signal came that is for the application; those that end it end us if it is not there."""
        if number == signal.SIGTERM or self._child is None:
            self._stopped_by = self._stopped_by or number
            self._stop.set()
        if self._child is not None and number in _AS_A_TERMINAL:
            self._child.signal_group(number)
        elif self._child is not None:
            self._child.signal(number)

    async def _first(self, until_ready: Callable[[], Awaitable[None]]) -> bool:
        """Wait until the command can be started; whether it can."""
        ready = False
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                nonlocal ready
                await until_ready()
                self._variables = self._changes.now() or await self._changes.other_than(dict)
                ready = True
                group.cancel_scope.cancel()

            group.start_soon(wait)
            with anyio.move_on_after(self._plan.ready_timeout):
                await self._stop.wait()
            group.cancel_scope.cancel()
        return ready and not self._stop.is_set()

    def _never_started(self, reason: str) -> int:
        if self._stop.is_set():
            return _BY_SIGNAL + self._stopped_by
        told = reason or "; ".join(each.detail for each in self._remarks.current if each.kind == KIND)
        _log.error("the command is not started: %s", told, extra={"waited_seconds": self._plan.ready_timeout})
        return EXIT_NOT_READY

    async def _go_on(self) -> int:
        """Start the command again and again, for as long as its end is not the end."""
        restarted = False
        while True:
            code = self._start()
            began = anyio.current_time()
            if self._child is None:
                ended = True
            else:
                ended = await self._attend(restarted=restarted)
                code = self._child.code
                self._child = None
            if not ended:
                restarted, self._crashes = True, 0
                continue
            if self._stop.is_set() or not restarted or not code or self._settled(began):
                return code
            if not await self._again_after(code):
                return _BY_SIGNAL + self._stopped_by if self._stop.is_set() else code

    def _start(self) -> int:
        """Start it; the code that stands for why that did not work."""
        try:
            self._child = Child(self._command, self._variables)
        except FileNotFoundError:
            return self._unstartable(EXIT_NOT_FOUND, "there is no such program")
        except OSError as error:
            return self._unstartable(EXIT_CANNOT_RUN, error.strerror or type(error).__name__)
        _log.info("the command runs", extra={"pid": self._child.pid, "variables": len(self._variables)})
        return 0

    def _unstartable(self, code: int, reason: str) -> int:
        _log.error("the command cannot be started: %s", reason, extra={"program": self._command[0]})
        return code

    async def _attend(self, *, restarted: bool) -> bool:
        """Stand by the running command; whether it ended by itself, or else it was stopped to be started again."""
        child, by_itself = self._child, False
        assert child is not None  # noqa: S101 - for the type checker
        async with anyio.create_task_group() as group:
            group.start_soon(self._settle, restarted)
            group.start_soon(self._follow, child)
            group.start_soon(self._end, child)
            await child.ended()
            by_itself = not self._replacing
            group.cancel_scope.cancel()
        self._replacing = False
        return by_itself or self._stop.is_set()

    async def _follow(self, child: Child) -> None:
        """Do what is to be done at each change."""
        while True:
            new = await self._changes.other_than(lambda: self._variables)
            names = list(changed_names(self._variables, new))
            self._variables = new
            extra = {"variables": names[:20], "changed": len(names), "then": str(self._plan.on_change)}
            _log.info("the command's environment changed", extra=extra)
            if self._plan.on_change is OnChange.SIGNAL:
                child.signal(self._plan.change_signal)
            elif self._plan.on_change is OnChange.RESTART:
                self._replacing = True
                await child.stop(self._plan.kill_signal, self._plan.kill_timeout)

    async def _end(self, child: Child) -> None:
        """Kill it if it does not end after we were told to."""
        await self._stop.wait()
        with anyio.move_on_after(self._plan.kill_timeout):
            await child.ended()
            return
        _log.warning("the command does not end, and is killed", extra={"waited_seconds": self._plan.kill_timeout})
        await child.kill()

    async def _settle(self, restarted: bool) -> None:  # noqa: FBT001 - started by name
        """A command that lives for a while is well."""
        await anyio.sleep(self._plan.settle)
        self._crashes = 0
        self._remarks.withdraw(KIND, _ABOUT)
        self._well()
        self._found(good=True, detail="it runs" if not restarted else "it runs on the new values")

    def _settled(self, began: float) -> bool:
        return anyio.current_time() - began >= self._plan.settle

    async def _again_after(self, code: int) -> bool:
        """After a crash on new values: wait, longer each time, or until there are other values; whether to try again."""
        self._crashes += 1
        self._found(good=False, detail=f"it ended with {code}")
        if self._crashes > self._plan.tries:
            if await self._has_older_values():
                return True
            _log.error("the command fails again and again on the new values; its end is ours", extra={"code": code})
            return False
        told = f"ended with {code} within {self._plan.settle:g} s after a restart on new values, {self._crashes} of {self._plan.tries} times"
        self._remarks.tell(KIND, _ABOUT, told, refuses=True)
        async with anyio.create_task_group() as group:

            async def change() -> None:
                self._variables = await self._changes.other_than(lambda: self._variables)
                self._crashes = 0
                group.cancel_scope.cancel()

            group.start_soon(change)
            with anyio.move_on_after(min(_MAX_BACKOFF, self._plan.backoff * 2 ** (self._crashes - 1))):
                await self._stop.wait()
            group.cancel_scope.cancel()
        return not self._stop.is_set()

    async def _has_older_values(self) -> bool:
        """Whether there are values that it bore, and that are not those on which it fails."""
        if self._fall_back is None or not await self._fall_back():
            return False
        found = self._changes.now()
        if found is None or found == self._variables:
            return False
        self._variables, self._crashes = found, 0
        return True

    def _found(self, *, good: bool, detail: str) -> None:
        if self._health is not None:
            self._health.found(good=good, detail=detail, now_ms=unix_ms(self._clock.now()))

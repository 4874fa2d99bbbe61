"""What readers see last: snapshots in which references to secrets are what they stand for.

A change that brings a new reference is shown when what it stands for is there, all of it at once; until then, for a
moment, readers see what they saw before. What cannot be had is an error of its key alone.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup, TaskStatus

from agent.secrets.keeping import AT_ONCE, Keeping
from agent.secrets.provider import Provider
from agent.secrets.substituting import references_of, referring, resolved, withheld
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.remarks import Remarks
from shared.domain.codec import Json
from shared.domain.resolution import Effective
from shared.domain.secret_reference import SecretReference, Source
from shared.runtime.keepers.asking import SecretError

KIND = "secret"
HOLD = 5.0
"""Seconds for which a change may be held back for its secrets."""
MAX_SOURCES = 1_000
"""Sources that one agent keeps; references to more are errors."""

_TOLD = 5
_AWAITED = "it is being fetched"

Places = Callable[[str], Provider | None]
"""The provider of a name; None where the agent's settings do not allow it."""


class Secrets:
    """Completes snapshots, and keeps what they refer to fresh for as long as they do."""

    def __init__(
        self,
        store: SnapshotStore,
        remarks: Remarks,
        places: Places,
        close: Callable[[], Awaitable[None]],
        *,
        refresh: float,
        max_stale: float,
        hold: float = HOLD,
    ) -> None:
        self._store, self._remarks, self._places, self._close = store, remarks, places, close
        self._refresh, self._max_stale, self._hold = refresh, max_stale, hold
        self._wanted: dict[Source, list[str]] = {}
        self._kept: dict[Source, Keeping | str] = {}
        self._late: set[Source] = set()
        self._told: dict[str, str] = {}
        self._shown: Snapshot | None = None
        self._deadline: float | None = None
        self._stirred, self._acted, self._news = anyio.Event(), anyio.Event(), False
        self._limiter: anyio.CapacityLimiter | None = None

    def __call__(self, chosen: Snapshot) -> Snapshot:
        """The snapshot that readers see."""
        found = {key: each for key, each in chosen.effective.items() if referring(each)}
        self._want(found)
        if self._awaits():
            if self._deadline is None:
                self._deadline = time.monotonic() + self._hold
                self._stirred.set()
            self._store.settling = self._shown is None
            if self._shown is not None:
                return self._shown
        else:
            self._deadline, self._store.settling = None, False
        shown = self._completed(chosen, found) if found else chosen
        if self._store.ready and not self._store.settling:
            self._shown = shown
        return shown

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Fetch what is referred to, until cancelled."""
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        try:
            async with anyio.create_task_group() as group:
                task_status.started()
                while True:
                    self._keep(group)
                    await self._rest()
                    self._act()
        finally:
            with anyio.CancelScope(shield=True):
                await self._close()

    async def settled(self) -> None:
        """Wait for what is being fetched, for as long as a change would be held back for it."""
        with anyio.move_on_after(self._hold):
            while self._awaits():
                await self._acted.wait()

    def _want(self, found: Mapping[str, Effective]) -> None:
        wanted: dict[Source, list[str]] = {}
        for key, each in found.items():
            for reference in references_of(each):
                wanted.setdefault(reference.source, []).append(key)
        if wanted != self._wanted:
            self._wanted = wanted
            self._late &= wanted.keys()
            self._stirred.set()

    def _awaits(self) -> bool:
        """Whether something may still come for which a change is worth to be held back."""
        return any(source not in self._late and self._may_come(source) for source in self._wanted)

    def _may_come(self, source: Source) -> bool:
        kept = self._kept.get(source)
        if kept is None:
            return True
        return isinstance(kept, Keeping) and not kept.known and not kept.denied

    def _completed(self, chosen: Snapshot, found: Mapping[str, Effective]) -> Snapshot:
        effective, unresolved = dict(chosen.effective), dict[str, str]()
        for key, each in found.items():
            try:
                effective[key] = resolved(each, self._look)
            except SecretError as error:
                effective[key], unresolved[key] = withheld(each), str(error)
        program = chosen.program.after(effective, found.keys() - unresolved.keys(), unresolved)
        self._tell_of_keys(unresolved)
        return replace(chosen, effective=effective, program=program, unresolved=unresolved)

    def _look(self, reference: SecretReference) -> Json:
        kept = self._kept.get(reference.source)
        if isinstance(kept, Keeping) and kept.found:
            return kept.document
        raise SecretError(kept if isinstance(kept, str) else (kept and kept.error) or _AWAITED)

    def _keep(self, group: TaskGroup) -> None:
        """Begin with the sources that are new, end with those that nobody refers to any more."""
        for source in [each for each in self._kept if each not in self._wanted]:
            kept = self._kept.pop(source)
            if isinstance(kept, Keeping):
                self._withdraw(kept.label)
                kept.scope.cancel()
        for source in [each for each in self._wanted if each not in self._kept]:
            self._kept[source] = kept = self._new(source)
            if isinstance(kept, Keeping):
                group.start_soon(kept.run)
            else:
                self._news = True
                self._stirred.set()

    def _new(self, source: Source) -> Keeping | str:
        named = dict(source)
        if (provider := self._places(named["provider"])) is None:
            return f"this agent may not ask {named['provider']} (TRIMTAB_AGENT_SECRET_PROVIDERS)"
        if len(self._kept) >= MAX_SOURCES:
            return f"there are more than {MAX_SOURCES:,} secrets"
        assert self._limiter is not None  # noqa: S101 - for the type checker
        return Keeping(
            named,
            provider,
            refresh=self._refresh,
            max_stale=self._max_stale,
            changed=self._changed,
            limiter=self._limiter,
        )

    def _changed(self) -> None:
        self._news = True
        self._stirred.set()

    async def _rest(self) -> None:
        """Until something came, or a change was held back for long enough."""
        wait = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        with anyio.move_on_after(wait):
            await self._stirred.wait()
        self._stirred = anyio.Event()

    def _act(self) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._late |= {each for each in self._wanted if self._may_come(each)}
            self._deadline, self._news = None, True
        self._tell_of_sources()
        if self._news:
            self._news = False
            self._store.show_again()
        self._acted.set()
        self._acted = anyio.Event()

    def _tell_of_sources(self) -> None:
        """Of what failed, also where the value from before is still good."""
        for source, kept in self._kept.items():
            if not isinstance(kept, Keeping):
                continue
            if kept.error and (kept.known or kept.denied or source in self._late):
                still = "the value from before is still used" if kept.found else "there is no value"
                keys = ", ".join(self._wanted.get(source, ())[:_TOLD])
                self._remarks.tell(KIND, kept.label, f"{kept.label}: {kept.error}; {still} ({keys})")
            else:
                self._withdraw(kept.label)

    def _tell_of_keys(self, unresolved: Mapping[str, str]) -> None:
        """Of configs that are errors for that: the application does not get what was applied."""
        shown = {} if self._store.settling else unresolved
        for key in self._told.keys() - shown.keys():
            self._withdraw(key)
        for key, why in shown.items():
            self._remarks.tell(KIND, key, f"{key}: its secret cannot be had: {why}", refuses=True)
        self._told = dict(shown)

    def _withdraw(self, about: str) -> None:
        self._remarks.withdraw(KIND, about)

    def states(self) -> Iterator[tuple[str, str]]:
        """Each source with what is wrong with it, for people."""
        for source, kept in self._kept.items():
            yield (kept.label, kept.error) if isinstance(kept, Keeping) else (dict(source)["provider"], kept)

"""What happens to one set when its content changes: stage, check, publish, reload, ask for health, or go back.

Every step has a timeout, and every outcome is told. A content that was refused is not tried again until it is another one.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
from anyio import to_thread

from agent.files.account import Account
from agent.files.calling import Called, call, run
from agent.files.file_set import OnDrift
from agent.files.hooks import HealthGate
from agent.files.occasion import Occasion
from agent.files.plan import planned
from agent.files.publication import Publication, confirm, remembered
from agent.files.rendering import Content
from agent.files.state import Phase
from agent.probing.ask import ask, probe_session
from agent.snapshot.model import Snapshot
from agent.sync.results import Ending, Rendering, Results
from agent.sync.results import Hook as Kind
from shared.runtime.clock import Clock

_MAX_RETRY = 600.0
_HARMLESS = frozenset({Phase.REFUSED, Phase.UNHEALTHY})
"""To be tried again: a check may look at what is not in the files, and what is published anyway can be no worse."""
_REFUSED = frozenset({Phase.REFUSED, Phase.RETURNED, Phase.UNHEALTHY})


class _Wanted(NamedTuple):
    """What is to be published, and how that differs from what stands there."""

    contents: Mapping[str, Content]
    digest: bytes
    revision: int
    differing: list[str]

    @property
    def sensitive(self) -> bool:
        return any(each.sensitive for each in self.contents.values())


class Sequence:
    """Brings one set to a content. One at a time; the caller sees to that."""

    def __init__(self, account: Account, publication: Publication, results: Results, clock: Clock) -> None:
        self.account, self.publication = account, publication
        self._set, self._results, self._clock = account.state.file_set, results, clock
        self._refused, self._tried, self._refusals = b"", b"", 0
        self._published: bytes | None = None
        self.published_at = float("-inf")
        """When something was last published, by the event loop's clock."""

    def retry_in(self, shortest: float) -> float | None:
        """Seconds after which to try again although nothing changed, ever more; None if that is not to be done.

        What the application did not bear is not tried on it again: that would hurt it again.
        """
        phase = self.account.state.phase
        if phase is Phase.FAILED:
            return shortest
        return min(shortest * 2.0**self._refusals, _MAX_RETRY) if phase in _HARMLESS else None

    async def bring(self, snapshot: Snapshot, render: Callable[[], Mapping[str, Content]]) -> bool:
        """Have the application get what the snapshot says; whether it has.

        Raises:
            OSError, UnrenderableError: it cannot be rendered or written.
        """
        # Nothing is written yet, so nobody who stops us waits for a template that does not end.
        contents = await to_thread.run_sync(render, abandon_on_cancel=True)
        self.account.state.keys = tuple(dict.fromkeys(key for each in contents.values() for key in each.keys))
        differing = await to_thread.run_sync(self.publication.differing, contents)
        return await self._bring(_Wanted(contents, _digest(contents), snapshot.revision, differing))

    def failed(self, why: str, revision: int) -> None:
        """It cannot be rendered or written now."""
        self.account.failed(why, revision)
        self._results.renderings[Rendering.FAILED] += 1

    def forget_refusal(self) -> None:
        """Try again what was refused: somebody asked for it."""
        self._refused = b""

    async def _bring(self, wanted: _Wanted) -> bool:
        state = self.account.state
        if wanted.digest == self._refused and state.phase in _REFUSED:
            self.account.refused(state.phase, state.detail, wanted.revision)
            return False
        if not wanted.differing and self._unchanged(wanted.digest):
            self.account.well(wanted.contents, wanted.revision, self.publication.generations.current)
            self._results.renderings[Rendering.UNCHANGED] += 1
            return True
        if self._set.dry_run:
            plan = await to_thread.run_sync(planned, self._set, wanted.contents, wanted.differing)
            self.account.would(plan, wanted.revision)
            return True
        if wanted.differing and wanted.digest == await self._known():
            repaired = self._set.on_drift is OnDrift.REPAIR
            self.account.drifted(wanted.differing, repaired=repaired)
            if not repaired:
                return True
        return await self._change(wanted)

    async def _known(self) -> bytes | None:
        """The digest of what was published to its end, also by a process before this one."""
        if self._published is None:
            self._published = await to_thread.run_sync(remembered, self.publication)
        return self._published

    def _unchanged(self, digest: bytes) -> bool:
        """Whether this content was published to its end: after a restart, the link for good ones says so."""
        if self._published is None:
            generations = self.publication.generations
            if generations.current is not None and generations.current == generations.good:
                self._published = digest
        return self._published == digest

    async def _change(self, wanted: _Wanted) -> bool:
        publication, state = self.publication, self.account.state
        began = self._clock.monotonic()
        staged = await to_thread.run_sync(publication.generations.stage, wanted.contents, wanted.revision)
        occasion = Occasion.of(state.name, wanted.revision, wanted.contents, wanted.differing)
        if (refusal := await self._check(staged, occasion, sensitive=wanted.sensitive)) is not None:
            await to_thread.run_sync(publication.generations.discard, staged)
            return self._given_up(Phase.REFUSED, refusal, wanted, Rendering.REFUSED, began)
        await to_thread.run_sync(publication.adopt, staged)
        before = publication.generations.good if await self._returnable() else None
        self.published_at = anyio.current_time()
        await to_thread.run_sync(publication.publish, staged)
        self.account.wrote(wanted.differing)
        if (trouble := await self._take_up(occasion, sensitive=wanted.sensitive)) is None:
            await to_thread.run_sync(confirm, publication, wanted.digest)
            self._published, self._refused, self._tried = wanted.digest, b"", b""
            self.account.well(wanted.contents, wanted.revision, staged)
            self._results.rendered(Rendering.WRITTEN, self._clock.monotonic() - began)
            return True
        self._published = None
        if before is None or before == staged:
            return self._given_up(Phase.UNHEALTHY, trouble, wanted, Rendering.FAILED, began)
        told = await self._go_back(before, trouble, occasion)
        return self._given_up(Phase.RETURNED, told, wanted, Rendering.RETURNED, began)

    def _given_up(self, phase: Phase, why: str, wanted: _Wanted, how: Rendering, began: float) -> bool:
        self._refusals = self._refusals + 1 if wanted.digest == self._tried else 0
        self._refused = self._tried = wanted.digest
        self.account.refused(phase, why, wanted.revision)
        self._results.rendered(how, self._clock.monotonic() - began)
        return False

    async def _returnable(self) -> bool:
        """Whether to go back if this is not borne: an application that is not well before either proves nothing against it."""
        if not self._set.restore or (gate := self._set.health) is None:
            return self._set.restore
        async with probe_session() as session:
            return (await ask(gate.target, gate.timeout, session)).good

    async def _check(self, staged: Path, occasion: Occasion, *, sensitive: bool) -> str | None:
        """Why the new files must not be published, if the check says so."""
        if (check := self._set.check) is None:
            return None
        environ = occasion.environ | {"TRIMTAB_STAGED": str(staged)}
        return await self._trouble(partial(run, check, environ, staged, Kind.CHECK), sensitive=sensitive)

    async def _take_up(self, occasion: Occasion, *, sensitive: bool) -> str | None:
        """Have the application take up what is published; why it did not, if so."""
        if (trouble := await self._reload(occasion, sensitive=sensitive)) is not None:
            return trouble
        return None if self._set.health is None else await self._health(self._set.health)

    async def _reload(self, occasion: Occasion, *, sensitive: bool) -> str | None:
        for hook in self._set.reload:
            if (trouble := await self._trouble(partial(call, hook, occasion), sensitive=sensitive)) is not None:
                return trouble
        return None

    async def _health(self, gate: HealthGate) -> str | None:
        """Ask until the application was well often enough, or the time is over; why it is not well, if so."""
        began, good, last = self._clock.monotonic(), 0, "it was not asked"
        async with probe_session() as session:
            with anyio.move_on_after(gate.within):
                while good < gate.successes:
                    reply = await ask(gate.target, gate.timeout, session)
                    good, last = good + 1 if reply.good else 0, reply.detail
                    if good < gate.successes:
                        await anyio.sleep(gate.interval)
        well = good >= gate.successes
        self._results.hooked(Kind.HEALTH, Ending.DONE if well else Ending.TIMED_OUT, self._clock.monotonic() - began)
        return None if well else f"not healthy within {gate.within:g} s: {last}"

    async def _go_back(self, before: Path, trouble: str, occasion: Occasion) -> str:
        """Publish the generation before again; what to tell of it."""
        try:
            await to_thread.run_sync(self.publication.publish, before)
        except OSError as error:
            msg = f"{trouble}; and {before.name} cannot be returned to: {error.strerror or error}"
            raise OSError(msg) from error
        again = await self._reload(occasion, sensitive=True)
        return f"{trouble}; returned to {before.name}" + (f", where {again} as well" if again is not None else "")

    async def _trouble(self, calling: Callable[[], Awaitable[Called]], *, sensitive: bool) -> str | None:
        """Call, and say what is wrong, if anything is. Of a set with secrets no program's words are passed on."""
        began = self._clock.monotonic()
        called = await calling()
        self._results.hooked(called.kind, called.ending, self._clock.monotonic() - began)
        if called.kind is Kind.SIGNAL:
            self.account.unheard(called.detail if called.good else "")
        if called.good:
            return None
        if not called.output:
            return called.detail
        return f"{called.detail} (its output is withheld)" if sensitive else f"{called.detail}: {called.output}"


def _digest(contents: Mapping[str, Content]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for name, each in sorted(contents.items()):
        for part in (name.encode(), each.data, f"{each.mode}:{each.owner}".encode()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.digest()

"""What happens to one set when its content changes: stage, check, publish, reload, ask for health, or go back.

Every step has a timeout, and every outcome is told. A content that was refused is not tried again until it is another one.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import anyio
from anyio import to_thread

from agent.files.calling import Called, call, run
from agent.files.file_set import OnDrift
from agent.files.hooks import HealthGate
from agent.files.publication import Publication, confirm
from agent.files.rendering import Content
from agent.files.state import Phase, SetState
from agent.probing.ask import ask, probe_session
from agent.snapshot.model import Snapshot
from agent.sync.remarks import Remarks
from agent.sync.results import Ending, Rendering, Results
from agent.sync.results import Hook as Kind
from shared.runtime.clock import Clock

FILE, DRIFT, TEMPLATE = "file", "drift", "template"
"""The kinds of remarks about sets."""
_MAX_NAMED = 5

_log = logging.getLogger(__name__)


class Sequence:
    """Brings one set to a content. One at a time; the caller sees to that."""

    def __init__(
        self, state: SetState, publication: Publication, remarks: Remarks, results: Results, clock: Clock
    ) -> None:
        self.state, self._set, self._publication = state, state.file_set, publication
        self._remarks, self._results, self._clock = remarks, results, clock
        self._refused = b""
        self._published: bytes | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing is to be tried again before something changes."""
        return self.state.phase is not Phase.FAILED

    async def bring(self, snapshot: Snapshot, render: Callable[[], Mapping[str, Content]]) -> bool:
        """Have the application get what the snapshot says; whether it has.

        Raises:
            OSError, UnrenderableError: it cannot be rendered or written.
        """
        # Nothing is written yet, so nobody who stops us waits for a template that does not end.
        contents = await to_thread.run_sync(render, abandon_on_cancel=True)
        digest = _digest(contents)
        self.state.keys = tuple(dict.fromkeys(key for each in contents.values() for key in each.keys))
        differing = await to_thread.run_sync(self._publication.differing, contents)
        if digest == self._refused and self.state.phase in {Phase.REFUSED, Phase.RETURNED, Phase.UNHEALTHY}:
            self._tell(self.state.phase, self.state.detail, snapshot.revision)
            return False
        if not differing and self._unchanged(digest):
            self._well(contents, snapshot.revision)
            self._results.renderings[Rendering.UNCHANGED] += 1
            return True
        if self._set.dry_run:
            return self._said(differing, snapshot.revision)
        if digest == self._published and differing and not self._repairs(differing):
            return True
        return await self._change(contents, digest, snapshot.revision, differing)

    def failed(self, why: str, revision: int) -> None:
        """It cannot be rendered or written now."""
        for each in self.state.files:
            each.error = why
            each.failures += 1
        self._tell(Phase.FAILED, why, revision)

    def end(self) -> None:
        """Nobody keeps this set any more: there is nothing to say of it."""
        self._remarks.withdraw(FILE, self.state.name)
        self._remarks.withdraw(DRIFT, self.state.name)
        self.of_templates({})

    def of_templates(self, broken: Mapping[Path, str]) -> None:
        """Tell which templates are broken while what they were before is still used."""
        if broken:
            told = "; ".join(f"{path}: {why}" for path, why in broken.items())
            self._remarks.tell(TEMPLATE, self.state.name, f"{told}; what it was before is used")
        else:
            self._remarks.withdraw(TEMPLATE, self.state.name)

    def forget_refusal(self) -> None:
        """Try again what was refused: somebody asked for it."""
        self._refused = b""

    def _unchanged(self, digest: bytes) -> bool:
        """Whether this content was published to its end: after a restart, the link for good ones says so."""
        if self._published is None:
            generations = self._publication.generations
            if generations.current is not None and generations.current == generations.good:
                self._published = digest
        return self._published == digest

    def _repairs(self, differing: list[str]) -> bool:
        """Somebody changed what was published: whether that is put right."""
        self.state.drifted += 1
        names = _some(differing)
        if self._set.on_drift is OnDrift.REPAIR:
            _log.warning("files were changed by somebody else", extra={"set": self.state.name, "files": names})
            return True
        self._remarks.tell(DRIFT, self.state.name, f"somebody else changed {names}")
        return False

    async def _change(
        self, contents: Mapping[str, Content], digest: bytes, revision: int, differing: list[str]
    ) -> bool:
        publication, sensitive = self._publication, any(each.sensitive for each in contents.values())
        began = self._clock.monotonic()
        staged = await to_thread.run_sync(publication.generations.stage, contents, revision)
        told = {"TRIMTAB_SET": self.state.name, "TRIMTAB_REVISION": str(revision)}
        if (refusal := await self._check(staged, told, sensitive=sensitive)) is not None:
            await to_thread.run_sync(publication.generations.discard, staged)
            self._refuse(Phase.REFUSED, refusal, digest, revision)
            self._results.rendered(Rendering.REFUSED, self._clock.monotonic() - began)
            return False
        before = await to_thread.run_sync(lambda: publication.generations.good)
        await to_thread.run_sync(publication.publish, staged)
        self._wrote(differing)
        trouble = await self._take_up(told, sensitive=sensitive)
        if trouble is None:
            await to_thread.run_sync(confirm, publication)
            self._published, self._refused = digest, b""
            self._well(contents, revision)
            self._results.rendered(Rendering.WRITTEN, self._clock.monotonic() - began)
            return True
        returned = self._set.restore and before is not None and before != staged
        if returned and before is not None:
            trouble = f"{trouble}; {await self._go_back(before, told)}"
        self._published = None
        self._refuse(Phase.RETURNED if returned else Phase.UNHEALTHY, trouble, digest, revision)
        self._results.rendered(Rendering.RETURNED if returned else Rendering.FAILED, self._clock.monotonic() - began)
        return False

    async def _check(self, staged: Path, told: Mapping[str, str], *, sensitive: bool) -> str | None:
        """Why the new files must not be published, if the check says so."""
        if self._set.check is None:
            return None
        called = await run(self._set.check, {**told, "TRIMTAB_STAGED": str(staged)}, staged, Kind.CHECK)
        return self._trouble(called, sensitive=sensitive)

    async def _take_up(self, told: Mapping[str, str], *, sensitive: bool) -> str | None:
        """Have the application take up what is published; why it did not, if so."""
        for hook in self._set.reload:
            called = await call(hook, told)
            if (trouble := self._trouble(called, sensitive=sensitive)) is not None:
                return trouble
        return None if self._set.health is None else await self._health(self._set.health)

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

    async def _go_back(self, before: Path, told: Mapping[str, str]) -> str:
        """Publish the generation before again; what to tell of it."""
        await to_thread.run_sync(self._publication.publish, before)
        for hook in self._set.reload:
            called = await call(hook, told)
            if not called.good:
                return f"returned to {before.name}, where {called.detail} as well"
        return f"returned to {before.name}"

    def _trouble(self, called: Called, *, sensitive: bool) -> str | None:
        """What is wrong with a call, if anything is. Of a set with secrets no program's words are passed on."""
        self._results.hooks[called.kind, called.ending] += 1
        if called.good:
            return None
        if not called.output:
            return called.detail
        return f"{called.detail} (its output is withheld)" if sensitive else f"{called.detail}: {called.output}"

    def _refuse(self, phase: Phase, why: str, digest: bytes, revision: int) -> None:
        self._refused = digest
        self._tell(phase, why, revision)

    def _tell(self, phase: Phase, why: str, revision: int) -> None:
        state = self.state
        if (state.phase, state.detail) != (phase, why):
            _log.error(
                "a set is not what it should be", extra={"set": state.name, "phase": phase, "revision": revision}
            )
            state.last_change_at = self._clock.now()
        state.phase, state.detail = phase, why
        self._remarks.tell(FILE, state.name, f"{phase}: {why}", refuses=True)

    def _said(self, differing: list[str], revision: int) -> bool:
        """A dry run: what would be done."""
        state = self.state
        calls = (self._set.check, *self._set.reload, self._set.health)
        state.phase, state.revision = Phase.DRY, revision
        state.detail = f"would write {_some(differing)}, then call {sum(each is not None for each in calls)}"
        _log.info("dry run", extra={"set": state.name, "files": differing, "would": state.detail})
        return True

    def _wrote(self, differing: list[str]) -> None:
        changed = {str(self.state.place(Path(each))) for each in differing}
        for each in self.state.files:
            within = [name for name in changed if name == each.path or name.startswith(f"{each.path}/")]
            each.writes += len(within)
            if within:
                each.rendered_at = self._clock.now()

    def _well(self, contents: Mapping[str, Content], revision: int) -> None:
        """The application has it."""
        state, current = self.state, self._publication.generations.current
        if state.phase is not Phase.PUBLISHED:
            state.last_change_at = self._clock.now()
        state.phase, state.revision, state.detail = Phase.PUBLISHED, revision, ""
        state.generation = "" if current is None else current.name
        sizes = {str(state.place(Path(name))): len(each.data) for name, each in contents.items()}
        for each in state.files:
            each.error, each.revision = "", revision
            each.size = sum(
                size for name, size in sizes.items() if name == each.path or name.startswith(f"{each.path}/")
            )
            each.rendered_at = each.rendered_at or self._clock.now()
        self._remarks.withdraw(FILE, state.name)
        self._remarks.withdraw(DRIFT, state.name)


def _digest(contents: Mapping[str, Content]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for name, each in sorted(contents.items()):
        for part in (name.encode(), each.data, f"{each.mode}:{each.owner}".encode()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.digest()


def _some(names: list[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")

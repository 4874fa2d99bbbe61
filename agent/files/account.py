"""What is told of a set: how it stands, in `/status`, in the agent's remarks and in its log."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.files.rendering import Content
from agent.files.state import Phase, SetState
from agent.sync.remarks import Remarks
from shared.runtime.clock import Clock

FILE, DRIFT, TEMPLATE, HOOK = "file", "drift", "template", "hook"
"""The kinds of remarks about sets."""
_MAX_NAMED = 5

_log = logging.getLogger(__name__)


class Account:
    """Keeps the state of one set, and says what operators should know of it."""

    def __init__(self, state: SetState, remarks: Remarks, clock: Clock) -> None:
        self.state, self._remarks, self._clock = state, remarks, clock

    def well(self, contents: Mapping[str, Content], revision: int, generation: Path | None) -> None:
        """The application has it."""
        state = self.state
        if state.phase is not Phase.PUBLISHED:
            state.last_change_at = self._clock.now()
        state.phase, state.revision, state.detail = Phase.PUBLISHED, revision, ""
        state.generation = "" if generation is None else generation.name
        sizes = {str(state.place(Path(name))): len(each.data) for name, each in contents.items()}
        for each in state.files:
            each.error, each.revision = "", revision
            each.size = sum(size for name, size in sizes.items() if _within(name, each.path))
            each.rendered_at = each.rendered_at or self._clock.now()
        self._remarks.withdraw(FILE, state.name)
        self._remarks.withdraw(DRIFT, state.name)

    def failed(self, why: str, revision: int) -> None:
        """It cannot be rendered or written now."""
        for each in self.state.files:
            each.error = why
            each.failures += 1
        self.refused(Phase.FAILED, why, revision)

    def refused(self, phase: Phase, why: str, revision: int) -> None:
        """The application does not get what was applied."""
        state = self.state
        if (state.phase, state.detail) != (phase, why):
            _log.error(
                "a set is not what it should be", extra={"set": state.name, "phase": phase, "revision": revision}
            )
            state.last_change_at = self._clock.now()
        state.phase, state.detail = phase, why
        self._remarks.tell(FILE, state.name, f"{phase}: {why}", refuses=True)

    def would(self, plan: str, revision: int) -> None:
        """A dry run: what would be done."""
        state = self.state
        if (state.phase, state.detail) != (Phase.DRY, plan):
            _log.info("dry run", extra={"set": state.name, "would": plan})
            state.last_change_at = self._clock.now()
        state.phase, state.revision, state.detail = Phase.DRY, revision, plan

    def wrote(self, differing: Sequence[str]) -> None:
        """These files were written."""
        changed = {str(self.state.place(Path(each))) for each in differing}
        for each in self.state.files:
            within = sum(_within(name, each.path) for name in changed)
            each.writes += within
            if within:
                each.rendered_at = self._clock.now()

    def drifted(self, differing: Sequence[str], *, repaired: bool) -> None:
        """Somebody else changed what was published."""
        state = self.state
        state.drifted += 1
        if repaired:
            _log.warning(
                "files were changed by somebody else and are put right",
                extra={"set": state.name, "files": some(differing)},
            )
        else:
            self._remarks.tell(DRIFT, state.name, f"somebody else changed {some(differing)}")

    def unheard(self, detail: str) -> None:
        """A signal found nobody, who then reads what is published when it starts; empty if it found somebody."""
        if detail:
            self._remarks.tell(HOOK, self.state.name, detail)
        else:
            self._remarks.withdraw(HOOK, self.state.name)

    def of_templates(self, broken: Mapping[Path, str]) -> None:
        """Tell which templates are broken while what they were before is still used."""
        if broken:
            told = "; ".join(f"{path}: {why}" for path, why in broken.items())
            self._remarks.tell(TEMPLATE, self.state.name, f"{told}; what it was before is used")
        else:
            self._remarks.withdraw(TEMPLATE, self.state.name)

    def close(self) -> None:
        """Nobody keeps this set any more: there is nothing to say of it."""
        for kind in (FILE, DRIFT, TEMPLATE, HOOK):
            self._remarks.withdraw(kind, self.state.name)


def some(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _within(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}/")

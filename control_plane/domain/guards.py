"""Guards: what a change may hardly ever want to do, so that it takes a second word (`force`) to let it pass.

Each guard is off, warns or refuses. Policies may set them for what they are about; of several policies the strictest
counts, and what none of them sets is as `DEFAULTS` say.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.codec import Json
from shared.wire.problem import Violation


class Mode(StrEnum):
    """What a guard does when it is hit."""

    OFF = "off"
    WARN = "warn"
    """It is told in previews."""
    REFUSE = "refuse"
    """The change is refused unless it is forced."""


class Guard(StrEnum):
    """What is guarded against."""

    TYPE_CHANGE = "type_change"
    """The JSON type of what a scope sees for a key changes."""
    KEY_REUSE = "key_reuse"
    """The key of a deleted config is used again: old readers may still know it by another meaning."""
    SHRINK = "shrink"
    """An effective snapshot is emptied, or loses a large share of its keys."""
    GROWTH = "growth"
    """An effective snapshot becomes several times as large, or too large altogether."""
    ENVIRONMENTS = "environments"
    """The change reaches many environments at once."""
    GLOBAL_SCOPE = "global_scope"
    """The change stands in the global scope."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How strict a guard is. `numbers` are its thresholds; a smaller one is stricter."""

    mode: Mode
    numbers: Mapping[str, float] = field(default_factory=dict)


DEFAULTS: Mapping[Guard, Setting] = {
    Guard.TYPE_CHANGE: Setting(Mode.REFUSE),
    Guard.KEY_REUSE: Setting(Mode.REFUSE),
    Guard.SHRINK: Setting(Mode.REFUSE, {"keys": 10, "share": 0.5}),
    Guard.GROWTH: Setting(Mode.REFUSE, {"factor": 2, "from_bytes": 64 * 1024, "max_bytes": 8 * 1024 * 1024}),
    Guard.ENVIRONMENTS: Setting(Mode.REFUSE, {"limit": 50}),
    Guard.GLOBAL_SCOPE: Setting(Mode.WARN),
}
_ENDLESS = 2**53
_STRICTNESS = list(Mode)

_TO_DO: Mapping[Guard, str] = {
    Guard.TYPE_CHANGE: "Make sure that every reader takes the new type, or use a new key.",
    Guard.KEY_REUSE: "Use a new key, put back the value that it had, or make sure that no reader knows the old meaning.",
    Guard.SHRINK: "Take away less at a time, or make sure that no reader needs these keys.",
    Guard.GROWTH: "Put large values elsewhere and refer to them, or make sure that agents have room for them.",
    Guard.ENVIRONMENTS: "Change fewer environments at a time.",
    Guard.GLOBAL_SCOPE: "Put it into the scope of the applications that need it.",
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A guard that was hit, where, and by how much. `pointer` is that of the operation, if it is one operation's."""

    guard: Guard
    mode: Mode
    detail: str
    app_id: str | None = None
    environment: str | None = None
    key: str | None = None
    pointer: str = ""

    @property
    def refuses(self) -> bool:
        """Whether the change needs force for it."""
        return self.mode is Mode.REFUSE

    @property
    def hint(self) -> str:
        """What to do about it."""
        return _TO_DO[self.guard]

    def document(self) -> dict[str, Json]:
        """The hit as a member of a problem."""
        return {
            "guard": self.guard,
            "mode": self.mode,
            "detail": self.detail,
            "app_id": self.app_id,
            "environment": self.environment,
            "key": self.key,
            "pointer": self.pointer,
            "hint": self.hint,
        }


def settle(policies: Iterable[Mapping[str, Json]]) -> dict[Guard, Setting]:
    """How strict the guards are where these policies apply together; each gives its guards' settings by name."""
    settled = dict(DEFAULTS)
    for guard, default in DEFAULTS.items():
        asked = [_setting(default, each[guard]) for each in policies if guard in each]
        if asked:
            mode = max((each.mode for each in asked), key=_STRICTNESS.index)
            strictest = [each.numbers for each in asked if each.mode is mode]
            numbers = {name: min(each[name] for each in strictest) for name in default.numbers}
            settled[guard] = Setting(mode, numbers)
    return settled


def setting_violations(pointer: str, settings: Mapping[str, Json]) -> Iterator[Violation]:
    """What is wrong with the guards of a policy: `{"shrink": "off", "environments": {"mode": "refuse", "limit": 5}}`."""
    for name, asked in settings.items():
        here = f"{pointer}/{name}"
        if name not in set(Guard):
            yield Violation(here, f"there is no such guard; there are {', '.join(Guard)}")
            continue
        given = asked if isinstance(asked, dict) else {"mode": asked}
        known = DEFAULTS[Guard(name)].numbers
        if "mode" in given and given["mode"] not in list(Mode):
            yield Violation(here, f"the mode of a guard is one of {', '.join(Mode)}")
        for number, value in given.items():
            if number == "mode":
                continue
            if number not in known:
                yield Violation(
                    f"{here}/{number}", f"there is no such setting; there are {', '.join(('mode', *known))}"
                )
            elif isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _ENDLESS:
                yield Violation(f"{here}/{number}", f"a number from 0 to {_ENDLESS:,}")


def _setting(default: Setting, asked: Json) -> Setting:
    given = asked if isinstance(asked, dict) else {"mode": asked}
    numbers = {name: float(given.get(name, number)) for name, number in default.numbers.items()}
    return Setting(Mode(given.get("mode", default.mode)), numbers)

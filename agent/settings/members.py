"""Read a mapping of the settings file member by member; every mistake is told, with the place where it stands."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from agent.settings.parsers import nearest
from shared.domain.codec import Json

T = TypeVar("T")
D = TypeVar("D")


class MistakesError(ValueError):
    """Several things are wrong with one setting: one line for each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


class Members:
    """The members of one mapping; what nobody asked for until `close` is unknown.

    Mistakes are kept in one list for a whole document: whoever reads it goes on after each, with a default.
    """

    def __init__(self, raw: Json, place: str, mistakes: list[str]) -> None:
        self.place, self.mistakes = place, mistakes
        self.sound = isinstance(raw, dict)
        self._raw: Mapping[str, Json] = raw if isinstance(raw, dict) else {}
        self._known: list[str] = []
        if not self.sound:
            self.wrong("", "is no mapping; write its members as `name: value`")

    def take(self, name: str, parse: Callable[[Json], T], default: D) -> T | D:
        """A member's value, or the default where it is not given or wrong."""
        self._known.append(name)
        if (raw := self._raw.get(name)) in (None, ""):
            return default
        try:
            return parse(raw)
        except MistakesError as error:
            self.mistakes += error.mistakes
        except ValueError as error:
            self.wrong(name, str(error))
        return default

    def raw(self, name: str) -> Json:
        """A member as it stands; None where it is not given."""
        self._known.append(name)
        return self._raw.get(name) or None

    def has(self, name: str) -> bool:
        """Whether a member is given."""
        return bool(self._raw.get(name))

    def items(self, name: str) -> Iterator[tuple[Json, str]]:
        """The elements of a member that is a list, each with its place; one that is no list stands for itself."""
        if (raw := self.raw(name)) is None:
            return
        elements = raw if isinstance(raw, list) else [raw]
        yield from ((each, f"{self.at(name)}[{index}]") for index, each in enumerate(elements))

    def at(self, name: str) -> str:
        """Where a member stands."""
        return f"{self.place}.{name}" if self.place and name else self.place or name

    def wrong(self, name: str, why: str) -> None:
        """Tell a mistake."""
        self.mistakes.append(f"{self.at(name)} {why}")

    def close(self) -> None:
        """Tell the members that there are not."""
        known = tuple(self._known)
        for name in self._raw:
            if name not in known:
                self.wrong("", f"has an unknown member {name!r}{nearest(str(name), known) or _among(known)}")


def _among(known: tuple[str, ...]) -> str:
    return f"; there are {', '.join(dict.fromkeys(known))}"

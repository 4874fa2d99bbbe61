"""What one place sees of entries as far as references are concerned: what each key is, what it refers to, and ways through.

A place is an app/environment, or a scope in which nobody is registered yet.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from control_plane.domain.content import SEGMENT, key_of
from shared.domain.entry import Kind
from shared.domain.references import MAX_FOLLOWED
from shared.domain.scope import Scope


class Node(NamedTuple):
    """A live entry as far as references are concerned: what it is, and what it refers to (as it is stored)."""

    kind: str
    refs: tuple[str, ...] = ()


Nodes: TypeAlias = Mapping[str, Mapping[Scope, Node]]
"""Entries by key and scope."""

Place: TypeAlias = tuple[str | None, str | None]
"""An app/environment; None for what nobody is registered in yet."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one place sees for a key: the kind that its readers meet (None: nothing), and all that it refers to."""

    kind: str | None
    refs: tuple[str, ...]
    scopes: tuple[Scope, ...]

    def answers(self, ref: str) -> bool:
        """Whether a reference to it leads somewhere."""
        return self.kind is not None and (self.kind == Kind.SEGMENT) is ref.startswith(SEGMENT)

    @property
    def means(self) -> bool | None:
        """What it is for those who refer to it: a segment or not, or nothing at all."""
        return None if self.kind is None else self.kind == Kind.SEGMENT


@dataclass(frozen=True)
class View:
    """What one place sees of some entries."""

    nodes: Nodes
    place: Place

    @cached_property
    def _scopes(self) -> tuple[Scope, ...]:
        app_id, environment = self.place
        own = [] if environment is None else [Scope(app_id, environment)]
        return (*own, *([] if app_id is None else [Scope(app_id)]), Scope())

    @cached_property
    def _known(self) -> dict[str, Seen]:
        return {}

    @cached_property
    def referring(self) -> dict[str, list[str]]:
        """Which keys refer to which, by the key that is referred to."""
        found: dict[str, list[str]] = defaultdict(list)
        for key in sorted(self.nodes):
            for target in {key_of(ref) for ref in self.seen(key).refs}:
                found[target].append(key)
        return found

    def seen(self, key: str) -> Seen:
        """What is seen for a key, through entries that have nothing of their own but a rollout."""
        if (found := self._known.get(key)) is None:
            found = self._known[key] = self._look(self.nodes.get(key, {}))
        return found

    def _look(self, entries: Mapping[Scope, Node]) -> Seen:
        refs: dict[str, None] = {}
        scopes: list[Scope] = []
        for scope in self._scopes:
            node = entries.get(scope)
            if node is None:
                continue
            if node.kind == Kind.MASK:
                break
            refs |= dict.fromkeys(node.refs)
            scopes.append(scope)
            if node.kind != Kind.INHERIT:
                return Seen(node.kind, tuple(refs), tuple(scopes))
        return Seen(None, tuple(refs), tuple(scopes))

    def circle(self, key: str) -> list[str] | None:
        """The way from a key back to itself, if there is one."""
        path, seen = [key], {key}
        ways = [iter(self.seen(key).refs)]
        while ways:
            step = next(ways[-1], None)
            if step is None:
                ways.pop()
                path.pop()
                continue
            following = key_of(step)
            if following == key:
                return [*path, key]
            if following not in seen:
                seen.add(following)
                path.append(following)
                ways.append(iter(self.seen(following).refs))
        return None


def is_too_long(key: str, view: View) -> bool:
    """Whether more references lead through a key, one after the other, than anybody follows."""
    up = _steps(key, lambda each: view.referring.get(each, ()))
    return up + _steps(key, lambda each: map(key_of, view.seen(each).refs)) > MAX_FOLLOWED


def _steps(key: str, following: Callable[[str], Iterable[str]]) -> int:
    """The length of the longest way from a key, as far as it matters."""
    layer, steps = {key}, 0
    while (layer := {other for each in layer for other in following(each)}) and steps <= MAX_FOLLOWED:
        steps += 1
    return steps

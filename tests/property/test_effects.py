"""What operations do to each environment, computed key by key, is what resolving everything twice says."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.change import Op, Operation
from control_plane.domain.effects import Reached, Seen, Why, effects
from shared.domain.codec import canonical
from shared.domain.entry import Entry, Kind
from shared.domain.resolution import Effective, resolve_all
from shared.domain.scope import Scope

_PAIRS = [("a", "dev"), ("a", "prod"), ("b", "prod"), ("c", "prod")]
_SCOPES = [Scope(), *map(Scope, "abcd"), *(Scope(*pair) for pair in _PAIRS), Scope("c", "gone")]
_KEYS = ["k", "l"]
_places = st.tuples(st.sampled_from(_SCOPES), st.sampled_from(_KEYS))


_ROLLOUTS = [b"", b'{"id":"1","kind":"value","candidate":1}', b'{"id":"2","kind":"value","candidate":2}']
_KINDS = [Kind.VALUE, Kind.VALUE, Kind.FLAG, Kind.SEGMENT, Kind.INHERIT]


def _value(kind: Kind, number: int) -> bytes:
    return b"" if kind is Kind.INHERIT else canonical(number)


@st.composite
def _entries(draw: st.DrawFn) -> dict[tuple[Scope, str], Entry]:
    found = {}
    for scope, key in draw(st.sets(_places)):
        if draw(st.booleans()):
            found[scope, key] = Entry(key, Kind.MASK, b"", 1, 1)
        else:
            kind, rollout = draw(st.sampled_from(_KINDS)), draw(st.sampled_from(_ROLLOUTS))
            value = _value(kind, draw(st.integers(0, 2)))
            found[scope, key] = Entry(key, kind, value, 1, 1, draw(st.booleans()), rollout)
    return found


@st.composite
def _operations(draw: st.DrawFn) -> list[Operation]:
    found = []
    for scope, key in draw(st.lists(_places, unique=True, min_size=1)):
        op = draw(st.sampled_from(Op))
        kind = draw(st.sampled_from(_KINDS)) if op in {Op.PUT, Op.ROLLOUT} else Kind.VALUE
        value = _value(kind, draw(st.integers(0, 2))) if op in {Op.PUT, Op.ROLLOUT} else b""
        rollout = draw(st.sampled_from(_ROLLOUTS)) if op is Op.ROLLOUT else b""
        secret = draw(st.none() | st.booleans())
        found.append(Operation(op, scope, key, value, secret, kind=kind, rollout=rollout))
    return found


def _after(before: dict[tuple[Scope, str], Entry], operations: list[Operation]) -> dict[tuple[Scope, str], Entry]:
    after = dict(before)
    for each in operations:
        place = (each.scope, each.key)
        old = after.pop(place, None)
        if each.op in {Op.PUT, Op.ROLLOUT}:
            sensitive = old is not None and old.sensitive if each.sensitive is None else each.sensitive
            after[place] = Entry(each.key, each.kind, each.value, 2, 2, sensitive, each.rollout)
        elif each.op is Op.MASK:
            after[place] = Entry(each.key, Kind.MASK, b"", 2, 2)
    return after


def _seen(entries: dict[tuple[Scope, str], Entry], pair: tuple[str, str]) -> dict[str, Effective]:
    scopes = (Scope(), Scope(pair[0]), Scope(*pair))
    return resolve_all(*({key: each for (at, key), each in entries.items() if at == scope} for scope in scopes))


def _content(seen: Effective | None) -> object:
    if seen is None:
        return None
    below = _content(seen.below)
    if seen.entry.kind is Kind.INHERIT and not seen.entry.rollout:
        return below
    return seen.entry.kind, seen.entry.value, seen.entry.rollout, seen.entry.sensitive, below


@given(_entries(), _operations())
def test_the_differences_are_those_of_resolving_everything(
    before: dict[tuple[Scope, str], Entry], operations: list[Operation]
) -> None:
    after = _after(before, operations)
    standing = {key: {at: each for (at, other), each in before.items() if other == key} for key in _KEYS}
    done = effects(operations, standing, Reached(_PAIRS))
    expected = set()
    for pair in _PAIRS:
        earlier, later = _seen(before, pair), _seen(after, pair)
        expected |= {(*pair, key) for key in _KEYS if _content(earlier.get(key)) != _content(later.get(key))}
        for each in done.differences:
            if each[:2] == pair:
                assert each.before == _at(pair, earlier.get(each.key))
                assert _bare(each.after) == _bare(_at(pair, later.get(each.key)))
    assert {each[:3] for each in done.differences} == expected


def _at(pair: tuple[str, str], seen: Effective | None) -> Seen | None:
    if seen is None:
        return None
    scope = {"global": Scope(), "app": Scope(pair[0]), "environment": Scope(*pair)}[seen.level]
    return Seen(scope, seen.entry, _at(pair, seen.below))


def _bare(seen: Seen | None) -> Seen | None:
    """Without the versions, which a preview is told."""
    if seen is None:
        return None
    return Seen(seen.scope, replace(seen.entry, version=0, revision=0), _bare(seen.below))


@given(_entries(), _operations())
def test_an_operation_without_effect_can_be_left_out(
    before: dict[tuple[Scope, str], Entry], operations: list[Operation]
) -> None:
    """Each by itself; what is left out together may have been the other's reason."""
    standing = {key: {at: each for (at, other), each in before.items() if other == key} for key in _KEYS}
    known = Reached(_PAIRS)
    done = effects(operations, standing, known)
    for idle in done.idle:
        rest = [each for index, each in enumerate(operations) if index != idle.index]
        without = effects(rest, standing, known).differences if rest else ()
        assert [each[:3] for each in without] == [each[:3] for each in done.differences]
        if idle.why is Why.OVERRIDDEN:
            assert operations[idle.index].scope not in idle.overridden_by

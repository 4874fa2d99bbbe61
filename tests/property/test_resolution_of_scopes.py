from hypothesis import given
from hypothesis import strategies as st

from shared.domain.entry import WITH_VALUE, Entry, Kind
from shared.domain.resolution import resolve, resolve_all, scope_digest
from shared.domain.scope import Level

KEYS = ["a", "b", "c"]


def scope() -> st.SearchStrategy[dict[str, Entry]]:
    entry = st.tuples(st.sampled_from(Kind), st.integers(1, 5))
    return st.dictionaries(st.sampled_from(KEYS), entry).map(
        lambda given: {
            key: Entry(key, kind, str(version).encode() if kind in WITH_VALUE else b"", version, version)
            for key, (kind, version) in given.items()
        }
    )


scopes = st.tuples(scope(), scope(), scope())
Scopes = tuple[dict[str, Entry], dict[str, Entry], dict[str, Entry]]


@given(scopes)
def test_the_most_specific_entry_wins_unless_it_is_a_mask(each: Scopes) -> None:
    by_level = dict(zip(Level, each, strict=True))
    for key in KEYS:
        having = [level for level in Level if key in by_level[level]]
        found = resolve(key, *each)
        if not having or by_level[having[-1]][key].kind is Kind.MASK:
            assert found is None
        else:
            assert found is not None
            assert found[:2] == (having[-1], by_level[having[-1]][key])


@given(scopes)
def test_below_an_entry_without_anything_of_its_own_is_what_less_specific_scopes_say(each: Scopes) -> None:
    global_, app, _ = each
    for key in KEYS:
        found = resolve(key, *each)
        if found is None:
            continue
        if found.entry.kind is not Kind.INHERIT:
            assert found.below is None
        elif found.level is Level.ENVIRONMENT:
            assert found.below == resolve(key, global_, app, {})
        else:
            assert found.below == (resolve(key, global_, {}, {}) if found.level is Level.APP else None)


@given(scopes)
def test_resolving_all_is_resolving_each(each: Scopes) -> None:
    found = {key: one for key in KEYS if (one := resolve(key, *each)) is not None}
    assert resolve_all(*each) == found
    assert list(resolve_all(*each)) == sorted(found)


@given(scope(), scope())
def test_a_digest_tells_scopes_apart_and_follows_changes(before: dict[str, Entry], after: dict[str, Entry]) -> None:
    assert (scope_digest(before.values()) == scope_digest(after.values())) == (before == after)
    moved = scope_digest(before.values())
    for entry in (*before.values(), *after.values()):
        moved ^= entry.digest
    assert moved == scope_digest(after.values())

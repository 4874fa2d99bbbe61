"""A developer's file over what the control plane says."""

from typing import Any

import pytest

from agent.override.document import OverrideError, read_override
from agent.override.overlay import Overlay
from agent.snapshot.model import Snapshot
from shared.domain.codec import canonical, decode
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.program import Program
from shared.domain.resolution import Effective
from shared.domain.scope import Level, Revisions

FLAG = {
    "variants": {"on": True, "off": False},
    "default": "off",
    "rules": [{"when": {"attribute": "country", "op": "eq", "values": ["SE"]}, "serve": "on"}],
}


def _snapshot(**configs: Any) -> Snapshot:
    entries = {key: (Kind.VALUE, value) for key, value in configs.items()} | {"new.search": (Kind.FLAG, FLAG)}
    effective = {
        key: Effective(Level.APP, Entry(key, kind, canonical(value), 3, 7)) for key, (kind, value) in entries.items()
    }
    return Snapshot("shop", "prod", Revisions(7, 7, 7), ({}, {}, {}), (0, 0, 0), effective, Program.of(effective))


def _yields(snapshot: Snapshot, key: str, **attributes: str) -> Any:
    found = snapshot.program.evaluate(key, EvaluationContext(attributes=attributes), 0)
    return None if found is None else (decode(found.value), found.effective.local)


def test_values_flags_variants_and_what_is_hidden_stand_over_the_snapshot() -> None:
    snapshot = _snapshot(limit=1, other=2, legacy="x")
    text = b"""
values: {limit: 50, mine: {a: [1]}}
flags: {beta: {variants: {a: 1, b: 2}, default: b}}
variants: {new.search: "on"}
hidden: [legacy]
"""
    overlay = Overlay(read_override(text))
    shown = overlay(snapshot)
    assert _yields(shown, "limit") == (50, True)
    assert _yields(shown, "mine") == ({"a": [1]}, True)
    assert _yields(shown, "other") == (2, False)
    assert _yields(shown, "beta") == (2, True)
    assert _yields(shown, "new.search") == (True, True)
    assert _yields(shown, "legacy") is None
    assert list(shown.effective) == sorted(shown.effective)
    assert (shown.revisions, shown.digests, overlay.unused) == (snapshot.revisions, snapshot.digests, {})
    assert _yields(snapshot, "limit") == (1, False), "the snapshot itself is as it was"


def test_a_variant_that_no_flag_has_is_told_and_changes_nothing() -> None:
    overlay = Overlay(read_override(b"variants: {new.search: maybe, limit: a, nowhere: b}"))
    shown = overlay(_snapshot(limit=1))
    assert (_yields(shown, "new.search", country="SE"), _yields(shown, "limit")) == ((True, False), (1, False))
    assert overlay.unused == {
        "new.search": "the flag has no variant 'maybe', but off, on",
        "limit": "there is no such flag",
        "nowhere": "there is no such flag",
    }


@pytest.mark.parametrize("text", [b"", b"  \n", b"{}", b"values:\n", b"hidden: []", b'{"values": {}}'])
def test_a_file_may_override_nothing(text: bytes) -> None:
    assert read_override(text).keys == frozenset()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"limit: 5", "/limit: unknown member; known are flags, hidden, values, variants"),
        (b"values: {limit: no}", "readers of YAML disagree"),
        (b"values: {'a b': 1}", "/values/a b: is not a key"),
        (b"values: {a: 1}\nhidden: [a]", "'a' is overridden in two ways"),
        (b"values: {a: 1}\nflags: {a: {variants: {u: 1}, default: u}}", "/flags/a: is overridden by /values already"),
        (b"flags: {a: {variants: {u: 1}, default: z}}", "/flags/a/default"),
        (b"variants: {a: 1}", "/variants/a: must be a text"),
        (b"- a", "must be an object"),
        (b"\xff", "not UTF-8"),
        (b"hidden: [1]", "/hidden/0: is not a key"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(text: bytes, told: str) -> None:
    with pytest.raises(OverrideError) as caught:
        read_override(text)
    assert told in str(caught.value)

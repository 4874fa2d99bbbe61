"""Whatever a newer or hostile control plane writes, the agent applies it, serves on, and says what it does not understand."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.files.dotenv import UnrenderableError
from agent.files.formats import render
from agent.files.target import Format
from agent.local_api.answers import Answers
from agent.local_api.freshness import Freshness
from agent.local_api.view import Policy
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.misunderstood import misunderstood
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.applier import Applier
from agent.sync.clockwork import Clockwork
from agent.sync.health import Health
from agent.sync.outcomes import Outcomes
from agent.sync.status import Status
from agent.sync.witness import Witness
from control_plane.api.bodies.fleet import AgentReport
from shared.domain.codec import Json, canonical, decode
from shared.domain.context import ANYBODY, EvaluationContext
from shared.domain.entry import Entry, Kind, known_kind
from shared.domain.resolution import Reason, scope_digest
from shared.domain.scope import Level, Lineage, Revisions, Scope
from shared.wire.messages import ChangeMessage, Delete, Operation, Put, decode_message
from shared.wire.report import Report
from shared.wire.snapshot import SnapshotDocument, SnapshotItem
from shared.wire.text import sendable
from shared.wire.unsupported import MAX_UNSUPPORTED
from tests.fakes.clock import ManualClock
from tests.fakes.snapshots import following
from tests.fakes.upstream import MemoryKeeper

LINEAGE = Lineage.of("billing", "prod")
AT = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = ["a", "b", "c", "d"]
WORDS = [
    "value", "flag", "segment", "mask", "inherit", "trimtab", "unleash", "flagd", "eq", "matches", "semver_gt", "hologram",
    "targetingKey", "instance", "country", "a", "b", "on", "off", "all", "any", "not", "", "\0", "(a+)+$", "9" * 400,
]  # fmt: skip
MEMBERS = [
    "schema", "id", "strategy", "phase", "step", "kind", "candidate", "salt", "unit", "bucketing", "weights", "when", "window",
    "start", "end", "variants", "default", "off", "on", "rules", "serve", "split", "variant", "weight", "attribute", "op",
    "values", "all", "any", "not", "segment", "config", "members", "name", "of_a_newer_version",
]  # fmt: skip
EXPOSURE = {
    "schema": 1, "id": "0b3a4c1e-0000-4000-8000-000000000001", "strategy": "percentage", "phase": "progressing", "step": 0,
    "kind": "value", "candidate": 2, "salt": "s", "unit": "targetingKey", "bucketing": "trimtab", "weights": [[0, 50_000], [1_000, 60_000]],
}  # fmt: skip
FLAG = {"variants": {"on": True, "off": False}, "default": "off", "rules": [{"serve": "on"}]}

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.sampled_from(WORDS)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    max_leaves=12,
)
nothing: dict[str, Json] = {}
changed = st.just(nothing) | st.dictionaries(st.sampled_from(MEMBERS), anything, max_size=2)
conditions = st.recursive(
    anything
    | st.builds(
        lambda attribute, op, value, more: {"attribute": attribute, "op": op, "values": [value]} | more,
        st.sampled_from(["country", "targetingKey", "a", "groups"]),
        st.sampled_from(["eq", "ne", "in", "matches", "semver_gt", "gt", "before", "exists", "of_a_newer_version"]),
        scalars,
        changed,
    )
    | st.builds(lambda key: {"segment": key}, st.sampled_from(KEYS))
    | st.builds(lambda key, value: {"config": key, "op": "eq", "values": [value]}, st.sampled_from(KEYS), scalars),
    lambda inner: (
        st.builds(lambda sort, each: {sort: each}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3))
        | st.builds(lambda each: {"not": each}, inner)
    ),
    max_leaves=5,
)
flags = st.builds(lambda when, more: FLAG | {"rules": [{"when": when, "serve": "on"}]} | more, conditions, changed)
segments = st.builds(lambda when, more: {"when": when} | more, conditions, changed)
documents = {Kind.FLAG: flags | flags | anything, Kind.SEGMENT: segments | segments | anything}
kinds = st.sampled_from([*Kind, *Kind, "hologram", "v2.flag"])
candidates = st.sampled_from([*Kind]).flatmap(
    lambda kind: documents.get(kind, anything).map(lambda each: {"kind": kind, "candidate": each})
)
exposures = (
    st.builds(lambda more: EXPOSURE | more, changed)
    | st.builds(lambda arm, when, more: EXPOSURE | arm | {"when": when} | more, candidates, conditions, changed)
    | anything
)


@st.composite
def entries(draw: st.DrawFn, revision: int, version: int) -> Entry:
    kind = known_kind(draw(kinds))
    value = b"" if kind in (Kind.MASK, Kind.INHERIT) else canonical(draw(documents.get(kind, anything)))
    rollout = canonical(draw(exposures)) if draw(st.booleans()) else b""
    return Entry(draw(st.sampled_from(KEYS)), kind, value, version, revision, rollout=rollout)


contexts = st.builds(
    EvaluationContext,
    st.none() | st.sampled_from(["ada", "", "\0", "ü" * 300]),
    st.lists(st.sampled_from(WORDS), max_size=3).map(tuple),
    st.dictionaries(st.sampled_from(["country", "agent.instance", "a"]), scalars | st.lists(scalars, max_size=3)),
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Running:
    """A store that messages reach as they do in an agent, with what stands behind it."""

    def __init__(self) -> None:
        self.clock, self.status = ManualClock(), Status()
        self.store = SnapshotStore(Snapshot.empty("billing", "prod"))
        self.store.swap(self.store.current)
        self.applier = Applier(self.store, MemoryKeeper(), self.status, self.clock)
        self.freshness = Freshness(self.store, self.status, self.clock, Policy())
        self.answers = Answers(self.store, self.freshness, self.clock, ANYBODY, Counter())
        self.scopes: dict[Scope, dict[str, Entry]] = {each: {} for each in LINEAGE}
        self.touched = dict.fromkeys(LINEAGE, 0)
        self.revision = 0

    def commit(self, scope: Scope, *operations: Operation) -> None:
        """One change, over the wire and into the store."""
        held = self.scopes[scope]
        for each in operations:
            if isinstance(each, Delete):
                held.pop(each.key, None)
            else:
                held[each.entry.key] = each.entry
        digest = scope_digest(held.values())
        message = ChangeMessage(self.revision, self.touched[scope], scope, (scope,), AT, digest, operations)
        self.touched[scope] = self.revision
        heard = decode_message(message.encode())
        assert isinstance(heard, ChangeMessage)
        self.applier.change([heard])

    def report(self) -> Report:
        snapshot = self.store.current
        told = misunderstood(snapshot)
        return Report("i", "billing", "prod", "1", snapshot.revisions, "live", "sse", unsupported=told)


@given(st.data())
def test_nothing_that_is_written_stops_a_running_store(data: st.DataObject) -> None:
    it = Running()
    clockwork = Clockwork(it.store, it.clock)
    witness = Witness(it.store, Health(), Outcomes(), it.clock, ANYBODY)
    told: list[str] = []
    with it.store.subscribe(it.answers.swapped), it.store.subscribe_time(lambda _snapshot, keys: told.extend(keys)):
        for _ in range(data.draw(st.integers(1, 6))):
            it.revision += 1
            scope = data.draw(st.sampled_from(LINEAGE))
            entry = data.draw(entries(it.revision, it.revision))
            gone = data.draw(st.booleans()) and it.revision > 2
            it.commit(scope, Delete(entry.key, it.revision) if gone else Put(entry))
            assert it.store.current.scopes == tuple(it.scopes[each] for each in LINEAGE)
            served(it, data.draw(contexts), data.draw(st.sampled_from([0, 1, 2**40, 2**53])))
            witness.exposes()
            witness.received(witness.batch())
            told.clear()
            clockwork.look(0)
            assert told == it.store.current.program.changed_between(0, witness.now_ms)
    assert not it.store.listener_errors


def served(it: Running, context: EvaluationContext, now_ms: int) -> None:
    """Everything that an agent does with a snapshot, and that its report can be read."""
    snapshot = it.store.current
    for key in KEYS:
        snapshot.program.evaluate(key, context, now_ms)
        explanation = snapshot.program.explain(key, context, now_ms)
        assert explanation is None or canonical(explanation.document)
    assert decode(it.answers.evaluated(KEYS, context, sensitive=False).content)["revision"] == it.revision
    assert decode(it.answers.many("", sensitive=True).content)
    report = it.report()
    assert {each.key for each in report.unsupported} == set(snapshot.program.unsupported)
    assert all(each.revision <= it.revision for each in report.unsupported)
    assert Report.from_document(decode(report.encode())) == report
    assert AgentReport.model_validate_json(report.encode()).report().unsupported == report.unsupported


@given(st.data())
def test_nothing_that_is_fetched_kept_or_rendered_stops_it(data: st.DataObject) -> None:
    written = data.draw(st.lists(st.tuples(st.integers(0, 2), entries(1, 1), st.booleans()), max_size=6))
    scopes: tuple[dict[str, Entry], ...] = ({}, {}, {})
    for level, entry, sensitive in written:
        scopes[level][entry.key] = replace(entry, sensitive=sensitive)
    items = [
        SnapshotItem(level, each.key, each, each.version, each.revision)
        for level, held in zip(Level, scopes, strict=True)
        for each in held.values()
    ]
    global_, app, own = (scope_digest(each.values()) for each in scopes)
    document = SnapshotDocument("billing", "prod", Revisions(1, 1, 1), (global_, app, own), True, tuple(items))
    it = Running()
    it.applier.document(SnapshotDocument.decode(document.encode()))
    snapshot = it.store.current
    assert snapshot.scopes == scopes
    it.revision = 1
    served(it, data.draw(contexts), 10)
    rendered(snapshot)
    with TemporaryDirectory() as directory, closing(FileKeeper(Path(directory), "billing", "prod")) as keeper:
        keeper.keep(snapshot, snapshot.document())
        loaded = keeper.load()
    assert loaded == snapshot
    assert misunderstood(loaded) == misunderstood(snapshot)


def rendered(snapshot: Snapshot) -> None:
    """Files of each format hold what there is to hold; names that collide are all that may be wrong with one."""
    found = snapshot.program.resolutions(snapshot.effective, ANYBODY, 10)
    for form in set(Format) - {Format.KEYS, Format.TEMPLATE}:
        with suppress(UnrenderableError):
            render(form, {key: each.value for key, each in found.items() if each.value})


@given(exposures, contexts)
def test_a_rollout_that_is_not_understood_leaves_the_baseline_and_is_told(
    rollout: object, context: EvaluationContext
) -> None:
    it = Running()
    it.revision = 1
    newer = EXPOSURE | (rollout if isinstance(rollout, dict) else {}) | {"schema": 2}
    it.commit(LINEAGE.environment, Put(Entry("a", Kind.VALUE, b"1", 1, 1, rollout=canonical(newer))))
    resolution = it.store.current.program.evaluate("a", context, 10)
    assert resolution is not None
    assert (resolution.value, resolution.reason, resolution.arm) == (b"1", Reason.STATIC, None)
    assert [(each.key, each.revision) for each in misunderstood(it.store.current)] == [("a", 1)]
    it.revision = 2
    it.commit(LINEAGE.environment, Put(Entry("a", Kind.VALUE, b"1", 2, 2)))
    assert misunderstood(it.store.current) == ()


def test_of_a_sensitive_config_it_is_told_that_but_not_why() -> None:
    own = {key: Entry(key, "hunter2", b"1", 1, 1, sensitive=key == "a") for key in ("a", "b")}
    told = misunderstood(following(Snapshot.empty("billing", "prod"), 1, own))
    assert [(each.key, "hunter2" in each.reason) for each in told] == [("b", True), ("a", False)]


def test_at_most_so_many_are_named_and_the_latest_before_others() -> None:
    own = {f"k{n}": Entry(f"k{n}", "hologram", b"1", 1, n) for n in range(MAX_UNSUPPORTED * 2)}
    told = misunderstood(following(Snapshot.empty("billing", "prod"), 1_000, own))
    assert (len(told), told[0].key) == (MAX_UNSUPPORTED, f"k{MAX_UNSUPPORTED * 2 - 1}")


@given(st.text(st.characters() | st.sampled_from(["\0", "\ud800"])), st.integers(0, 50))
def test_a_text_about_what_others_wrote_can_always_be_sent(text: str, at_most: int) -> None:
    sent = sendable(text, at_most)
    assert len(sent) <= at_most
    assert "\0" not in sent
    assert decode(canonical(sent)) == sent

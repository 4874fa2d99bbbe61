"""Whatever reads what others wrote, given garbage and damaged good inputs, answers or refuses, and never crashes.

Nor does it take anything for what it is not.

Some thousands of inputs by default; `TRIMTAB_TEST_FUZZ=all` tries some hundred thousand. The end of the run says how many.
"""

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError
from agent.local_api.guard import Guard
from agent.local_api.ofrep.tickets import Tickets
from agent.override.document import OverrideError, read_override
from agent.secrets.substituting import field_of
from agent.settings.load import SettingsError, load
from agent.snapshot.journal import (
    DamagedError,
    ForeignError,
    decode_base,
    decode_records,
    encode_base,
    encode_record,
    journal_header,
)
from agent.snapshot.model import Snapshot
from agent.snapshot.sealing import SealedError, Sealer
from agent.snapshot.state_key import KEY_BYTES, KeyMissingError, StateKey
from shared.domain.codec import MalformedJsonError, canonical, decode, encode
from shared.domain.condition import parse_condition
from shared.domain.condition_compiler import compile_condition
from shared.domain.context import EvaluationContext
from shared.domain.document import DocumentError
from shared.domain.entry import Entry, Kind
from shared.domain.program import Program
from shared.domain.references import UnresolvedError
from shared.domain.resolution import Effective
from shared.domain.scope import Level, is_key, is_name
from shared.domain.secret_reference import parse_reference, reference_faults
from shared.runtime.clock import SystemClock
from shared.runtime.keepers.asking import SecretError
from shared.runtime.listen import Listen
from shared.wire.messages import MalformedMessageError, UnsupportedSchemaError, decode_message
from shared.wire.snapshot import MalformedSnapshotError, SnapshotDocument
from shared.wire.sse import OversizedFrameError, frame, read_events
from shared.wire.yaml_reading import YamlRefusedError, read_yaml
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write
from tests.rig import hostile
from tests.rig.damage import damaged, documents, try_all
from tests.rig.good_requests import FLAG, SEGMENT

ALL = os.environ.get("TRIMTAB_TEST_FUZZ") == "all"
EXAMPLES = 2_000 if ALL else 25
pytestmark = pytest.mark.timeout(1_800 if ALL else 60)
often = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**63)


def model() -> Model:
    made = Model()
    made.commit(Write(LINEAGE.global_, "a", b'{"x":[1,2,"\xc3\xbc"]}'), Write(LINEAGE.app, "b", b'"text"'))
    made.commit(Write(LINEAGE.environment, "secret", b'"canary"', sensitive=True), Write(LINEAGE.app, "b", None))
    return made


def message_is_right(body: bytes) -> bool:
    try:
        message = decode_message(body)
    except (MalformedMessageError, UnsupportedSchemaError):
        return False
    assert decode_message(message.encode()) == message
    for each in getattr(message, "operations", ()):
        assert is_key(each.key if hasattr(each, "key") else each.entry.key)
    return True


def snapshot_is_right(body: bytes) -> bool:
    try:
        document = SnapshotDocument.decode(body)
    except MalformedSnapshotError:
        return False
    assert SnapshotDocument.decode(document.encode()) == document
    assert is_name(document.app_id)
    assert all(is_key(each.key) for each in document.items)
    return True


@often
@given(seeds)
def test_messages(counted: list[int], seed: int) -> None:
    made = model()
    for good in [*(each.encode() for change in made.changes for each in change), made.heartbeat().encode()]:
        assert message_is_right(good)
        try_all(counted, damaged(good, seed), message_is_right)
        try_all(counted, map(encode, documents(decode(good), seed)), message_is_right)


@often
@given(seeds)
def test_snapshot_documents(counted: list[int], seed: int) -> None:
    good = model().document().encode()
    assert snapshot_is_right(good)
    try_all(counted, damaged(good, seed), snapshot_is_right)
    try_all(counted, map(encode, documents(decode(good), seed)), snapshot_is_right)


def test_nothing_of_the_corpus_is_taken_for_a_message_or_a_snapshot(counted: list[int]) -> None:
    for body in hostile.bodies().values():
        counted[0] += 2
        assert not message_is_right(body)
        assert not snapshot_is_right(body)


@often
@given(seeds)
def test_event_streams_are_cut_the_same_wherever_they_are_torn(counted: list[int], seed: int) -> None:
    random = Random(seed)  # noqa: S311 - as above
    good = b": hi\n\n" + frame("change", b'{"a":1}', "7") + frame("heartbeat", b"{}") + b"data: a\ndata: b\r\n\r\n"

    def read(stream: bytes) -> bool:
        whole, torn = events([stream]), events(torn_up(stream, random))
        assert whole == torn
        return bool(whole)

    try_all(counted, damaged(good, seed), read)


def events(chunks: list[bytes]) -> list[Any] | str:
    async def read() -> list[Any]:
        async def feed() -> AsyncIterator[bytes]:
            for each in chunks:
                yield each

        return [each async for each in read_events(feed())]

    with suppress(OversizedFrameError):
        return anyio.run(read)
    return "oversized"


def torn_up(stream: bytes, random: Random) -> list[bytes]:
    cuts = sorted({0, len(stream), *(random.randint(0, len(stream)) for _ in range(5))})
    return [stream[a:b] for a, b in pairwise(cuts)]


@pytest.fixture(scope="module")
def sealer(tmp_path_factory: pytest.TempPathFactory) -> Sealer:
    key = StateKey(tmp_path_factory.mktemp("keys") / "a.key")
    key.have()
    return Sealer(key, APP, ENVIRONMENT)


REFUSED = (DamagedError, ForeignError, SealedError)


@often
@given(seeds)
def test_bases_of_the_last_known_good_are_whole_or_refused(counted: list[int], sealer: Sealer, seed: int) -> None:
    document = model().document()
    good = encode_base(document, sealer)

    def read(content: bytes) -> bool:
        try:
            found = decode_base(content, APP, ENVIRONMENT, sealer)
        except REFUSED:
            return False
        assert found == document
        return True

    assert read(good)
    try_all(counted, damaged(good, seed), read)


@often
@given(seeds)
def test_journals_of_the_last_known_good_are_read_as_far_as_they_are_whole(
    counted: list[int], sealer: Sealer, seed: int
) -> None:
    made, empty = model(), Snapshot.empty(APP, ENVIRONMENT)
    document = made.document()
    records = [encode_record(empty.revisions, document, sealer), encode_record(document.revisions, document, sealer)]
    good = journal_header(APP, ENVIRONMENT) + b"".join(records)

    def read(content: bytes) -> bool:
        found = []
        with suppress(*REFUSED):
            found.extend(each.document for each in decode_records(content, APP, ENVIRONMENT, sealer))
        assert all(each == document for each in found)
        return bool(found)

    assert read(good)
    try_all(counted, damaged(good, seed), read)


@often
@given(seeds)
def test_seals_open_as_they_were_made_or_not_at_all(counted: list[int], sealer: Sealer, seed: int) -> None:
    """By one who may write the files, checksums and all, and has no key."""
    good = decode(sealer.encode(model().document()))
    (index,) = [number for number, each in enumerate(good["entries"]) if "sealed" in each]
    random = Random(seed)  # noqa: S311 - as above

    def read(text: bytes) -> bool:
        changed = decode(encode(good))
        item = changed["entries"][index]
        item["sealed"] = text.decode(errors="replace")
        if random.random() < 0.3:
            item[random.choice(["key", "level", "version", "revision", "kind"])] = random.choice(
                ["b", "app", 3, "flag"]
            )
        try:
            found = sealer.decode(encode(changed)).items[index]
        except (MalformedSnapshotError, SealedError):
            return False
        assert found.entry == Entry("secret", Kind.VALUE, b'"canary"', 1, 2, sensitive=True)
        return True

    try_all(counted, damaged(good["entries"][index]["sealed"].encode(), seed), read)


@often
@given(seeds, st.binary(max_size=80))
def test_state_keys(counted: list[int], seed: int, garbage: bytes) -> None:
    from agent.snapshot.state_key import _parsed  # noqa: PLC0415 - the reader itself

    def read(content: bytes) -> bool:
        try:
            return len(_parsed(Path("key"), content)) == KEY_BYTES
        except KeyMissingError:
            return False

    try_all(counted, iter([garbage]), read)
    try_all(counted, damaged(b"q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n", seed), read)


CONTEXTS = (
    EvaluationContext(),
    EvaluationContext(
        "alice", ("beta",), {"country": "SE", "age": 20, "x": True, "v": "1.2.3", "at": "2026-01-01T00:00:00Z"}
    ),
    EvaluationContext("\0\u202e" * 50, ("",) * 50, {"country": "\uffff", "age": float("inf"), "age2": -0.0}),
)


@often
@given(seeds)
def test_conditions(counted: list[int], seed: int) -> None:
    def read(document: Any) -> bool:
        try:
            test = compile_condition(parse_condition(document))
        except DocumentError:
            return False
        for context in CONTEXTS:
            with suppress(UnresolvedError):
                assert test(context, 0, Program()) in {True, False}
        return True

    try_all(counted, documents(SEGMENT["when"], seed), read)
    try_all(counted, documents(FLAG["rules"][0]["when"], seed), read)


@often
@given(seeds)
def test_entries_of_any_kind_always_yield_something_or_nothing(counted: list[int], seed: int) -> None:
    rollout = {
        "id": "r",
        "candidate": 1,
        "kind": "value",
        "weights": [[0, 50_000]],
        "salt": "s",
        "unit": "targetingKey",
    }

    def read(document: Any) -> bool:
        try:
            value = canonical(document)
        except MalformedJsonError:
            return False
        found = False
        for entry in (
            Entry("a", Kind.FLAG, value, 1, 1),
            Entry("a", Kind.SEGMENT, value, 1, 1),
            Entry("a", Kind.VALUE, b"1", 1, 1, rollout=value),
            Entry("a", "of-a-newer-version", value, 1, 1, rollout=value),
        ):
            program = Program.of({"a": Effective(Level.APP, entry)})
            for context in CONTEXTS:
                resolution = program.evaluate("a", context, 0)
                found = found or (resolution is not None and bool(resolution.value))
            program.explain("a", CONTEXTS[1], 0)
        return found

    try_all(counted, documents(FLAG, seed), read)
    try_all(counted, documents(rollout, seed), read)
    try_all(counted, documents({**rollout, "candidate": FLAG, "kind": "flag", "when": SEGMENT["when"]}, seed), read)


@often
@given(seeds)
def test_references_to_secrets(counted: list[int], seed: int) -> None:
    def read(document: Any) -> bool:
        reference_faults(document)
        try:
            reference = parse_reference(document)
        except DocumentError:
            return False
        named = dict(reference.source)
        for name in ("path", "mount", "id", "name"):
            assert not {"", ".", ".."} & set(named.get(name, "x").split("/")) or name == "id"
            assert named.get(name, "x").isascii()
            assert named.get(name, "x").isprintable()
        for held in (document, "text", "{}", '{"a": 1}', {"field": 1}, None, []):
            with suppress(SecretError):
                field_of(reference, held)
        return True

    good = {"$secret": {"provider": "vault", "mount": "kv", "path": "a/b", "field": "field", "version": 3}}
    try_all(counted, documents(good, seed), read)
    try_all(counted, documents({"$secret": {"provider": "file", "path": "a/b"}}, seed), read)
    texts = [
        {"$secret": {"provider": p, n: t}}
        for p, n in (("file", "path"), ("env", "name"))
        for t in hostile.texts().values()
    ]
    try_all(counted, iter(texts if not seed % 50 else []), read)


def yaml_is_right(text: bytes) -> bool:
    """Either refused, or something that JSON can say, and that a safe reader of YAML does not take for code."""
    try:
        found = read_yaml(text)
    except YamlRefusedError:
        return False
    with suppress(MalformedJsonError):  # deeper, or with wider numbers, than any value may be
        assert decode(canonical(found)) == found
    return True


def override_is_right(text: bytes) -> bool:
    try:
        found = read_override(text)
    except OverrideError:
        return False
    return all(is_key(key) for key in found.keys)


OVERRIDE = b"""values: {checkout.timeout_ms: 50, b: "text"}
flags: {new.search: {variants: {a: 1, b: 2}, default: a}}
variants: {checkout.flow: candidate}
hidden: [legacy.mode]
"""


@often
@given(seeds)
def test_yaml_and_override_files(counted: list[int], seed: int) -> None:
    assert override_is_right(OVERRIDE)
    try_all(counted, damaged(OVERRIDE, seed), yaml_is_right)
    try_all(counted, damaged(OVERRIDE, seed), override_is_right)


def test_nothing_of_the_corpus_does_harm_in_yaml_override_or_settings(counted: list[int], tmp_path: Path) -> None:
    for name, text in hostile.yaml().items():
        (tmp_path / "agent.yaml").write_text(text)
        counted[0] += 3
        counted[1] += yaml_is_right(text.encode()) + override_is_right(text.encode())
        with pytest.raises(SettingsError):
            load({}, tmp_path / "agent.yaml")
        assert not Path("/tmp/owned").exists(), name  # noqa: S108 - what the corpus would make


SETTINGS = {
    "app": "billing",
    "environment": "prod",
    "control_plane_url": "https://one.example",
    "token": "t0ken-of-the-agent",
    "listen": "127.0.0.1:2772",
    "files": [{"path": "/run/a.json", "prefix": "a.", "mode": "0600"}],
    "file_sets": {"web": {"directory": "/run/web", "files": ["a.json"], "check": ["true"]}},
    "labels": {"a": "b"},
    "secret_providers": ["file"],
    "secret_directories": ["/run/secrets"],
    "local_token": "0123456789abcdef",
    "probe": "http://127.0.0.1/health",
}


@settings(max_examples=max(10, EXAMPLES // 10), suppress_health_check=list(HealthCheck))
@given(seeds)
def test_settings_files(counted: list[int], tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    path = tmp_path_factory.getbasetemp() / "agent.yaml"

    def read(text: bytes) -> bool:
        path.write_bytes(text)
        try:
            found = load({}, path)
        except SettingsError as error:
            told.append(str(error))
            return False
        assert is_name(found.app_id)
        assert all(each.is_absolute() for each in found.secret_directories)
        return True

    told: list[str] = []
    good = yaml.safe_dump(SETTINGS).encode()
    assert read(good)
    try_all(counted, damaged(good, seed), read)
    try_all(counted, (yaml.safe_dump(each).encode() for each in documents(SETTINGS, seed)), read)
    assert not [each for each in told if "t0ken-of-the-agent" in each]


TOKEN = "0123456789abcdef0123456789abcdef"


@often
@given(seeds, st.text(max_size=60))
def test_local_tokens_and_tickets(counted: list[int], seed: int, garbage: str) -> None:
    guard, tickets = Guard(Listen("127.0.0.1", 1), TOKEN), Tickets(TOKEN, SystemClock())
    right, ticket = f"Bearer {TOKEN}", tickets.current()

    def read(text: str) -> bool:
        shown = False
        with suppress(ProblemError):
            shown = guard.shows_sensitive(Asked("GET", "/", "", {"authorization": text}))
        assert shown is (text.partition(" ")[0].lower() == "bearer" and text.partition(" ")[2].strip() == TOKEN)
        assert tickets.admits(text) is (text == ticket)
        return shown

    assert read(right)
    inputs = [garbage, *(each.decode(errors="surrogateescape") for each in damaged(right.encode(), seed))]
    inputs += [each.decode(errors="surrogateescape") for each in damaged(ticket.encode(), seed)]
    try_all(counted, iter(inputs), read)
    if not seed % 50:
        try_all(counted, iter(hostile.texts().values()), read)


def test_a_proxy_is_known_by_any_of_its_headers() -> None:
    guard = Guard(replace(Listen("127.0.0.1", 1)), TOKEN)
    for name in ("via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip"):
        asked = Asked("GET", "/", "", {"authorization": f"Bearer {TOKEN}", name: ""})
        assert not guard.shows_sensitive(asked)

"""Whatever an installation holds: exported and imported into an empty one, everybody sees the same there."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.api.bodies.transfer import NewImport
from control_plane.cli.tree import read_tree
from control_plane.cli.tree_files import write_tree
from control_plane.domain.change import Draft, Op, Operation
from control_plane.domain.limits import Limits
from control_plane.domain.transfer import OnConflict, Secrets, Standing
from control_plane.postgres.transfer import PostgresTransfer
from control_plane.services.documents import JsonWriter, Writer, YamlWriter
from control_plane.services.sealing import Sealer
from control_plane.services.transfer import Transfers
from shared.domain.codec import Json, canonical, decode, encode
from shared.domain.entry import Kind
from shared.domain.scope import KEY_PATTERN, NAME_PATTERN, Scope
from shared.wire.yaml_reading import read_yaml
from tests.rig.seals import seals_over
from tests.store import OLGA, Store, open_store

_SETTINGS = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
_CLEAR = """
    set session_replication_role = replica;
    truncate apps, environments, configs, config_versions, changes, change_scopes, scopes, outbox cascade;
    set session_replication_role = default;
"""

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.sampled_from(
    [
        "no",
        "012",
        "1e3",
        "2020-01-01",
        "a: b",
        "- a",
        "",
        " ",
        "a\nb\n",
        "<<",
        "~",
        "\u2028",
        "\ufeff",
        "'",
        '"',
        "#",
        "x" * 1_100,
    ]
)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=10,
)
_names = st.from_regex(NAME_PATTERN, fullmatch=True) | st.sampled_from(["on", "no", "1e3", "012", "null", "x", "y"])
_keys = st.from_regex(KEY_PATTERN, fullmatch=True) | st.sampled_from(["on", "1e3", "0o14", "null", "a", "b"])
_labels = st.dictionaries(
    st.sampled_from(["tier", "no", "1e3"]), _texts.filter(lambda each: len(each) <= 200), max_size=3
)


@dataclass(frozen=True)
class Entry:
    op: Op
    value: Json
    sensitive: bool
    description: str
    owner: str
    labels: Mapping[str, str]
    kind: Kind


_entries = st.builds(
    Entry,
    st.sampled_from([Op.PUT, Op.PUT, Op.PUT, Op.MASK]),
    _values,
    st.booleans(),
    _texts,
    _texts.filter(lambda each: len(each) <= 200),
    _labels,
    st.sampled_from([Kind.VALUE, Kind.VALUE, Kind.FLAG, Kind.SEGMENT]),
)
_scopes = st.dictionaries(_keys, _entries, max_size=4)
_apps = st.dictionaries(_names, st.tuples(_texts, _scopes, st.dictionaries(_names, _scopes, max_size=3)), max_size=3)
_installations = st.tuples(_scopes, _apps)


@dataclass(frozen=True)
class Place:
    """One installation."""

    store: Store
    transfers: Transfers
    transfer: PostgresTransfer


@pytest.fixture
async def here(migrated_url: str) -> AsyncIterator[Place]:
    async with open_store(migrated_url) as store:
        yield _place(store)


@pytest.fixture
async def there(other_url: str) -> AsyncIterator[Place]:
    async with open_store(other_url) as store:
        yield _place(store)


def _place(store: Store) -> Place:
    transfer = PostgresTransfer(store.pool, seals_over(store.pool))
    return Place(store, Transfers(transfer, store.registry, Limits(), Sealer(bytes(64))), transfer)


async def _make(place: Place, installation: Any) -> set[Scope]:
    """Let this be what an installation holds, and nothing else; all its scopes."""
    await place.store.pool.execute(_CLEAR)
    global_, apps = installation
    found = {Scope(): global_}
    for app_id, (description, own, environments) in apps.items():
        await place.store.registry.create_app(app_id, description, OLGA)
        found[Scope(app_id)] = own
        for environment, entries in environments.items():
            await place.store.registry.create_environment(app_id, environment, OLGA)
            found[Scope(app_id, environment)] = entries
    operations = [_operation(scope, key, each) for scope, entries in found.items() for key, each in entries.items()]
    if operations:
        await place.store.commit(*operations)
    return set(found)


def _operation(scope: Scope, key: str, entry: Entry) -> Operation:
    value = canonical(entry.value) if entry.op is Op.PUT else b""
    more: Any = {"owner": entry.owner, "labels": entry.labels}
    if entry.op is Op.PUT:
        more["kind"] = entry.kind
    return Operation(entry.op, scope, key, value, entry.sensitive, entry.description, **more)


async def _document(place: Place, writer: Writer) -> bytes:
    async with place.transfers.export(None, Secrets.SEAL, writer, OLGA) as pieces:
        return "".join([piece async for piece in pieces]).encode()


async def _import(place: Place, document: Json) -> None:
    body = NewImport.model_validate_json(encode(document), context=Limits())
    plan = await place.transfers.plan(*body.document(), OnConflict.REFUSE, prune=False)
    place.transfers.require_agreement(plan)
    await place.transfers.register(plan.unregistered, OLGA)
    if plan.operations:
        await place.store.changes.commit(Draft(plan.operations, OLGA, base_revision=plan.revision))


async def _standing(place: Place, scopes: set[Scope]) -> dict[Any, Standing]:
    live = (await place.transfer.state(scopes, [], rest=True)).entries
    state = await place.transfer.state(scopes, list(live))
    assert state.registered == scopes
    return {at: replace(each, revision=0) for at, each in state.entries.items()}


async def _seen(place: Place, scope: Scope) -> list[Any]:
    assert scope.app_id is not None
    assert scope.environment is not None
    document = await place.store.configs.snapshot(scope.app_id, scope.environment, None)
    return [
        (item.level, item.key, item.entry and (item.entry.kind, item.entry.value, item.entry.sensitive))
        for item in document.items
    ]


@pytest.mark.timeout(180)
@_SETTINGS
@given(_installations, st.sampled_from(["yaml", "json", "tree"]))
async def test_an_export_makes_the_same_installation_elsewhere(
    here: Place, there: Place, installation: Any, form: str
) -> None:
    scopes = await _make(here, installation)
    await there.store.pool.execute(_CLEAR)
    text = await _document(here, YamlWriter() if form == "yaml" else JsonWriter())
    assert text == await _document(here, YamlWriter() if form == "yaml" else JsonWriter())
    document = read_yaml(text) if form == "yaml" else decode(text)
    if form == "tree":
        with tempfile.TemporaryDirectory() as directory:
            write_tree(Path(directory), document, "everything", overwrite=False)
            again = write_tree(Path(directory), document, "everything", overwrite=False)
            assert (again.written, again.deleted) == ([], [])
            document = read_tree(Path(directory))
    await _import(there, document)
    assert await _standing(there, scopes) == await _standing(here, scopes)
    for scope in scopes:
        if scope.environment is not None:
            assert await _seen(there, scope) == await _seen(here, scope)

"""Rows of the database as the domain's values."""

from uuid import UUID

import asyncpg

from control_plane.domain.access.role import Role
from control_plane.domain.api_key import ApiKey
from control_plane.domain.attribution import Attribution, Source
from control_plane.domain.change import (
    AgentToken,
    App,
    Applied,
    ChangeRecord,
    Config,
    ConfigVersion,
    Forced,
    Op,
)
from control_plane.domain.history import PastEntry
from control_plane.postgres.sealing.opening import Opening, stored_value
from shared.domain.codec import Json, canonical, decode, encode
from shared.domain.entry import WITH_VALUE, Entry, known_kind
from shared.domain.scope import Level, Scope
from shared.wire.messages import ChangeMessage, Delete, Operation, Put
from shared.wire.snapshot import SnapshotItem

REMOVING = frozenset({Op.DELETE, Op.UNMASK})
"""Operations after which no entry is left."""


def scope(app_id: str, environment: str) -> Scope:
    """The scope of a pair in which '' stands for nothing."""
    return Scope(app_id or None, environment or None)


def entry(
    key: str,
    kind: str,
    value: bytes,
    version: int,
    revision: int,
    *,
    sensitive: bool,
    rollout: bytes = b"",
) -> Entry:
    """A live entry. A mask has nothing to keep secret, whatever it covers."""
    has_value = kind in WITH_VALUE
    secret = sensitive and (has_value or bool(rollout))
    return Entry(key, known_kind(kind), value if has_value else b"", version, revision, secret, rollout)


def attributed(by: Attribution) -> str:
    """The argument with which every audited statement ends: who acts, as the audit chain keeps it."""
    return encode(attribution(by)).decode()


def attribution(by: Attribution) -> dict[str, Json]:
    """Who acts, as a document. What is not known is left out."""
    document: dict[str, Json] = {
        "principal": by.principal,
        "role": by.role or None,
        "address": by.address,
        "user_agent": by.user_agent or None,
        "request_id": by.request_id,
        "source": by.source,
    }
    return {name: value for name, value in document.items() if value is not None}


def config(row: asyncpg.Record) -> Config:
    """A row of `get_config` or `list_configs`."""
    return Config(
        id=_plain(row["id"]),
        scope=scope(row["app_id"], row["environment"]),
        key=row["key"],
        kind=known_kind(row["kind"]),
        value=stored_value(row["value"]),
        rollout=stored_value(row["rollout"]),
        sensitive=row["sensitive"],
        description=row["description"],
        owner=row["owner"],
        labels=decode(row["labels"]),
        version=row["version"],
        revision=row["revision"],
        deleted=row["deleted"],
        updated_at=row["updated_at"],
        updated_by=row["updated_by"],
    )


def config_version(row: asyncpg.Record) -> ConfigVersion:
    """A row of `config_versions`."""
    return ConfigVersion(
        version=row["version"],
        revision=row["revision"],
        op=Op(row["op"]),
        kind=known_kind(row["kind"]),
        value=stored_value(row["value"]),
        rollout=stored_value(row["rollout"]),
        sensitive=row["sensitive"],
        author=row["author"],
        message=row["message"],
        committed_at=row["committed_at"],
    )


def past_entry(row: asyncpg.Record, opening: Opening) -> PastEntry:
    """A row of `trimtab_entries_at` or `history_version`."""
    return PastEntry(
        config_id=_plain(row["id"]),
        scope=scope(row["app_id"], row["environment"]),
        key=row["key"],
        version=row["version"],
        revision=row["revision"],
        op=Op(row["op"]),
        kind=known_kind(row["kind"]),
        value=opening.value(row),
        rollout=opening.rollout(row),
        sensitive=row["sensitive"],
        author=row["author"],
        message=row["message"],
        committed_at=row["committed_at"],
    )


def snapshot_item(row: asyncpg.Record, opening: Opening) -> SnapshotItem:
    """A row of `snapshot` that holds an entry or a tombstone."""
    key, version, revision = row["key"], row["version"], row["revision"]
    live = None
    if not row["deleted"]:
        value, rollout = opening.value(row), opening.rollout(row)
        live = entry(key, row["kind"], value, version, revision, sensitive=row["sensitive"], rollout=rollout)
    return SnapshotItem(Level(row["level"]), key, live, version, revision)


def message(row: asyncpg.Record) -> ChangeMessage:
    """A row of `trimtab_messages`."""
    revision = row["revision"]
    return ChangeMessage(
        revision=revision,
        previous=row["previous"],
        scope=scope(row["app_id"], row["environment"]),
        scopes=tuple(Scope.parse(each) for each in row["scopes"]),
        committed_at=row["committed_at"],
        digest=row["digest"],
        operations=tuple(_operation(revision, each) for each in decode(row["operations"])),
    )


def _operation(revision: int, document: Json) -> Operation:
    op, key, version, kind, sensitive, value, rollout = document
    if Op(op) in REMOVING:
        return Delete(key, version)
    body = b"" if sensitive or kind not in WITH_VALUE else canonical(value)
    exposure = b"" if sensitive or rollout is None else canonical(rollout)
    return Put(entry(key, kind, body, version, revision, sensitive=sensitive, rollout=exposure))


def applied(document: Json) -> tuple[Applied, ...]:
    """A JSON array of [op, config id, app, environment, key, version]."""
    return tuple(
        Applied(Op(op), UUID(config_id), scope(app_id, environment), key, version)
        for op, config_id, app_id, environment, key, version, *_ in document
    )


def change_record(row: asyncpg.Record) -> ChangeRecord:
    """A row of `trimtab_change_records`."""
    forced = row["forced"] and decode(row["forced"])
    return ChangeRecord(
        id=_plain(row["id"]),
        revision=row["revision"],
        author=row["author"],
        message=row["message"],
        source=Source(row["source"]),
        committed_at=row["committed_at"],
        scopes=tuple(Scope.parse(each) for each in row["scopes"]),
        applied=applied(decode(row["applied"])),
        committed_by=row["committed_by"] or row["author"],
        labels=decode(row["labels"]),
        reverts=row["reverts"],
        forced=Forced(forced["reason"], tuple(forced["guards"])) if forced else None,
    )


def app(row: asyncpg.Record) -> App:
    """A row of `get_app`."""
    return App(
        row["app_id"],
        row["description"],
        tuple(row["environments"]),
        row["created_at"],
        row["archived_at"],
        tuple(row["archived_environments"]),
    )


def agent_token(row: asyncpg.Record) -> AgentToken:
    """A row of `list_agent_tokens`."""
    return AgentToken(**dict(row) | {"id": _plain(row["id"])})


def api_key(row: asyncpg.Record) -> ApiKey:
    """A row of `list_api_keys`."""
    read = {"id": _plain(row["id"]), "role": Role(row["role"]), "addresses": tuple(row["addresses"])}
    return ApiKey(**dict(row) | read)


def _plain(found: UUID) -> UUID:
    """The driver's UUIDs are of a class of its own, which encoders do not take for one."""
    return UUID(int=found.int)

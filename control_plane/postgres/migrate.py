"""Bring a database's schema to the version of this program.

Tables grow by numbered SQL files, each applied once, in one transaction. Functions have no history: whenever those in
`functions/` are others than the database has, all of them are made anew. A release that alters a function brings a
migration too, if only an empty one: its number tells older programs that they are older.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Self

import asyncpg

from control_plane.postgres.errors import driver_errors
from control_plane.postgres.queries import sql

OLDEST_SERVER = 15
GRANT = sql("grant_service_roles")
"""What gives the roles under which replicas run their rights, for the functions are new and so are some tables."""
_LOCK = 0x7472696D746162
"""Session advisory lock of whoever migrates ("trimtab" in ASCII): concurrent starts wait for each other."""
_LOCK_TIMEOUT_S = 120.0
_TABLES = """
    create table if not exists schema_migrations (
        version integer primary key,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default clock_timestamp()
    );
    create table if not exists schema_functions (
        singleton boolean primary key default true check (singleton),
        checksum text not null
    )
"""
_CLEAR = """
    set local check_function_bodies = off; -- they may call those that come later
    do $$
    declare
        old text;
    begin
        for old in
            select oid::regprocedure from pg_proc
            where pronamespace = current_schema::regnamespace and proname like 'trimtab\\_%'
                and prorettype <> 'trigger'::regtype
        loop
            execute 'drop function if exists ' || old || ' cascade';
        end loop;
        for old in
            select oid::regtype from pg_type
            where typnamespace = current_schema::regnamespace and typname like 'trimtab\\_%' and typtype = 'c'
        loop
            execute 'drop type if exists ' || old || ' cascade';
        end loop;
    end
    $$;
"""
"""Everything that earlier programs left of their functions. Triggers' functions belong to tables, so to migrations."""


class MigrationError(Exception):
    """The schema cannot be brought to this program's version; the message says what to do."""


class NewerSchemaError(MigrationError):
    """A newer Trimtab has been here."""


class OutdatedSchemaError(MigrationError):
    """Migrations are missing."""


class ChangedMigrationError(MigrationError):
    """A migration that was applied is not the one that this program has."""


def _sql_files(folder: str) -> list[Traversable]:
    found = [each for each in files(__package__).joinpath(folder).iterdir() if each.name.endswith(".sql")]
    return sorted(found, key=lambda each: each.name)


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Identifies the content."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @classmethod
    def all(cls) -> list[Self]:
        """The files in `migrations/`, in their order."""
        return [
            cls(int(each.name[:4]), each.name.removesuffix(".sql"), each.read_text("utf-8"))
            for each in _sql_files("migrations")
        ]


@dataclass(frozen=True, slots=True)
class Functions:
    """The files in `functions/`, as one script."""

    sql: str

    @property
    def checksum(self) -> str:
        """Identifies the content."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @classmethod
    def all(cls) -> Self:
        """What this program has."""
        return cls("\n".join(each.read_text("utf-8") for each in _sql_files("functions")))


@dataclass(frozen=True, slots=True)
class Migrated:
    """What `migrate` did: the names of the files applied now, and the schema's version after it."""

    applied: list[str]
    version: int


async def migrate(dsn: str) -> Migrated:
    """Apply what is missing.

    Raises:
        NewerSchemaError: the schema is newer than this program.
        ChangedMigrationError: an applied file was changed afterwards.
        MigrationError: the server is too old.
        UnavailableError: the database is away.
    """
    async with connected(dsn) as connection:
        await connection.execute("select pg_advisory_lock($1)", _LOCK, timeout=_LOCK_TIMEOUT_S)
        await connection.execute(_TABLES)
        migrated = await _apply_missing(connection, Migration.all())
        await _make_functions(connection, Functions.all())
        await connection.execute(GRANT)
        return migrated


async def require_current(dsn: str) -> None:
    """Make sure that there is nothing to migrate.

    Raises:
        OutdatedSchemaError: there is.
        MigrationError: as from `migrate`.
        UnavailableError: the database is away.
    """
    known = Migration.all()
    async with connected(dsn) as connection:
        there = await connection.fetchval("select to_regclass('schema_migrations') is not null")
        missing = [each.name for each in (_missing(await _applied(connection), known) if there else known)]
        if not missing and await _functions_there(connection) != Functions.all().checksum:
            missing = ["the functions of this version"]
    if missing:
        msg = f"The database's schema lacks {', '.join(missing)}. Run `trimtab migrate`."
        raise OutdatedSchemaError(msg)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of whoever owns the schema.

    Raises:
        MigrationError: the server is too old.
        UnavailableError: the database is away.
    """
    with driver_errors():
        connection = await asyncpg.connect(dsn, server_settings={"application_name": "trimtab migrate"})
        try:
            _require_server(connection.get_server_version().major)
            yield connection
        finally:
            await connection.close()


def _require_server(major: int) -> None:
    if major < OLDEST_SERVER:
        msg = f"This is PostgreSQL {major}; Trimtab needs {OLDEST_SERVER} or later. Upgrade the server."
        raise MigrationError(msg)


async def _apply_missing(connection: asyncpg.Connection, known: list[Migration]) -> Migrated:
    missing = _missing(await _applied(connection), known)
    for migration in missing:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
    return Migrated([each.name for each in missing], known[-1].version)


async def _make_functions(connection: asyncpg.Connection, known: Functions) -> None:
    if await _functions_there(connection) == known.checksum:
        return
    async with connection.transaction():
        await connection.execute(_CLEAR)
        await connection.execute(known.sql)
        await connection.execute("select trimtab_bind_definers()")
        await connection.execute(
            "insert into schema_functions (checksum) values ($1) on conflict (singleton) do update set checksum = $1",
            known.checksum,
        )


async def _functions_there(connection: asyncpg.Connection) -> str | None:
    if not await connection.fetchval("select to_regclass('schema_functions') is not null"):
        return None
    checksum: str | None = await connection.fetchval("select checksum from schema_functions")
    return checksum


async def _applied(connection: asyncpg.Connection) -> dict[int, str]:
    rows = await connection.fetch("select version, checksum from schema_migrations order by version")
    return {row["version"]: row["checksum"] for row in rows}


def _missing(applied: dict[int, str], known: list[Migration]) -> list[Migration]:
    newest = known[-1].version
    if applied and (there := max(applied)) > newest:
        msg = (
            f"The database's schema is at version {there}, this Trimtab knows {newest}: a newer Trimtab has used it. "
            "Start that version (or a later one), or point to another database."
        )
        raise NewerSchemaError(msg)
    for migration in known:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            msg = (
                f"Migration {migration.name} was applied to this database with another content. "
                "Use the release that applied it; applied migrations are never edited, a new one is added."
            )
            raise ChangedMigrationError(msg)
    return [each for each in known if each.version not in applied]

"""Databases for single tests on the shared PostgreSQL."""

from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg


async def create(server: str) -> str:
    """Make an empty database and return its URL."""
    name = _fresh_name()
    await _execute(server, f'create database "{name}"')
    return _with_database(server, name)


async def clone(server: str, template: str) -> str:
    """Make a copy of a database that nobody is connected to, and return its URL."""
    name = _fresh_name()
    await _execute(server, f'create database "{name}" template "{_database_of(template)}" strategy file_copy')
    return _with_database(server, name)


async def drop(server: str, url: str) -> None:
    """Drop a database, whoever is still connected to it."""
    await _execute(server, f'drop database if exists "{_database_of(url)}" with (force)')


async def _execute(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _fresh_name() -> str:
    return f"trimtab_test_{uuid4().hex[:12]}"


def _database_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _with_database(server: str, name: str) -> str:
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))

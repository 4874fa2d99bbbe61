"""A database with two roles: its owner, who migrates, and the one under which the control plane runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg


@dataclass(frozen=True, slots=True)
class TwoRoles:
    """The URLs of both, and the name of the second."""

    owner: str
    service: str
    service_name: str


@asynccontextmanager
async def two_roles(superuser_url: str) -> AsyncIterator[TwoRoles]:
    """Let an empty database belong to a role that is no superuser, beside one that may only connect."""
    ending, password = uuid4().hex[:8], uuid4().hex
    owner, service = f"trimtab_owner_{ending}", f"trimtab_service_{ending}"
    database = urlsplit(superuser_url).path.removeprefix("/")
    connection = await asyncpg.connect(superuser_url)
    try:
        for name in (owner, service):
            await connection.execute(f"create role {name} login password '{password}'")
        await connection.execute(f'alter database "{database}" owner to {owner}')
        yield TwoRoles(_as(superuser_url, owner, password), _as(superuser_url, service, password), service)
    finally:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = any($1)", [owner, service]
        )
        await connection.execute(f"reassign owned by {owner} to current_user")
        await connection.execute(f"drop owned by {owner}, {service} cascade")
        await connection.execute(f"drop role {owner}, {service}")
        await connection.close()


def _as(url: str, role: str, password: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{password}@{host}"))

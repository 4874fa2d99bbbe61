"""What `trimtab migrate` and `trimtab operator-key` do: work on the database itself, with no control plane running."""

from control_plane.domain.access.token import token_hash
from control_plane.postgres.credentials import PostgresCredentials
from control_plane.postgres.migrate import Migrated, migrate, require_current
from control_plane.postgres.pool import open_pool
from control_plane.postgres.service_role import add_service_role
from control_plane.starting import clear_errors, in_event_loop, ourselves


def migrate_database(dsn: str, service_role: str | None = None) -> Migrated:
    """Bring the schema to this version, and give the role under which replicas run its rights.

    Raises:
        StartError: it cannot be done.
    """

    async def all_of_it() -> Migrated:
        done = await migrate(dsn)
        if service_role is not None:
            await add_service_role(dsn, service_role)
        return done

    with clear_errors():
        return in_event_loop(all_of_it)


def set_operator_token(dsn: str, token: str) -> None:
    """Make this token the bootstrap operator's.

    Raises:
        StartError: it cannot be done.
    """

    async def ensure() -> None:
        await require_current(dsn)
        async with open_pool(dsn, 1) as pool:
            await PostgresCredentials(pool).ensure_operator(token_hash(token), ourselves())

    with clear_errors():
        in_event_loop(ensure)

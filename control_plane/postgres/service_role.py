"""The role under which replicas run: `trimtab migrate --service-role NAME` gives it what they need, and no more.

Who is named once is remembered, and given its rights anew by every migration, since functions are made anew with them.
"""

from control_plane.postgres.migrate import GRANT, MigrationError, connected
from control_plane.postgres.queries import sql

_DESCRIBE = sql("describe_role")
_REMEMBER = sql("remember_service_role")


async def add_service_role(dsn: str, name: str) -> None:
    """Let a role be one under which replicas run.

    Raises:
        MigrationError: there is no such role, or it could take itself the rights that it should not have.
        UnavailableError: the database is away.
    """
    async with connected(dsn) as connection:
        role = await connection.fetchrow(_DESCRIBE, name)
        if role is None:
            msg = f"There is no role {name!r}. Make one first: create role {name} login password '…'."
            raise MigrationError(msg)
        if role["unbound"]:
            msg = f"The role {name!r} is a superuser or has the rights of the tables' owner: name one that has neither."
            raise MigrationError(msg)
        async with connection.transaction():
            await connection.execute(_REMEMBER, name)
            await connection.execute(GRANT)

"""The database's schema, before anything else."""

import logging

import anyio

from control_plane.domain.errors import UnavailableError
from control_plane.postgres.migrate import migrate, require_current
from control_plane.settings.model import Settings
from control_plane.starting import StartError
from shared.runtime.retry import Backoff

_log = logging.getLogger(__name__)


async def prepare_schema(settings: Settings) -> None:
    """Wait for PostgreSQL, and see to it that its schema is ours."""
    step = migrate if settings.migrate else require_current
    backoff = Backoff(base=0.2, cap=2.0)
    away = "no answer in time"
    with anyio.move_on_after(settings.database_wait):
        while True:
            try:
                await step(settings.database_url)
            except UnavailableError as error:
                away = str(error)
                _log.warning("waiting for PostgreSQL", extra={"reason": away})
            else:
                return
            await anyio.sleep(backoff.next())
    msg = f"PostgreSQL does not answer ({away}): check TRIMTAB_DATABASE_URL"
    raise StartError(msg)

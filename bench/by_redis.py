"""`python -m bench.by_redis control-plane`: the control plane, but for every snapshot it asks Redis.

What many would build: no memory of its own, so that nothing is ever out of date. Everything else is the same program.
"""

import sys

from control_plane import main as composition
from control_plane.cli.main import main
from control_plane.services.snapshots import ServedSnapshot, Snapshots
from shared.domain.scope import Revisions

_SECONDS = 600.0


class ByRedis(Snapshots):
    """Serves what Redis has under the snapshot's name; compiles it where it has nothing."""

    async def fetch(
        self, app_id: str, environment: str, since: Revisions | None, at_least: int = 0, *, gzip: bool = False
    ) -> ServedSnapshot:
        """The whole snapshot, out of Redis."""
        key = f"bench:{app_id}:{environment}:{self._feed.revisions(app_id, environment).latest}"
        body = await self._cache.get(key)
        if body is None:
            served = await super().fetch(app_id, environment, since, at_least, gzip=gzip)
            await self._cache.set(key, served.body, _SECONDS)
            return served
        return ServedSnapshot(body, gzip=False, etag='"bench"', stale=False, sensitive=False)


if __name__ == "__main__":
    setattr(composition, "Snapshots", ByRedis)  # noqa: B010 - the one thing that is different, put there by force
    sys.exit(main())

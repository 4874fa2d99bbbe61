"""The workers of a replica."""

from control_plane.api.services import Services
from control_plane.composition.adapters import Adapters
from control_plane.postgres.leadership import PostgresLeadership
from control_plane.settings.model import Settings
from control_plane.starting import ourselves
from control_plane.workers.follower import Follower
from control_plane.workers.heartbeats import Heartbeats
from control_plane.workers.housekeeping import Housekeeping
from control_plane.workers.relay import Relay
from control_plane.workers.renewal import RenewalWorker
from control_plane.workers.rollouts import Rollouts
from control_plane.workers.scheduler import Scheduler
from shared.runtime.lifecycle import Worker


def workers_of(settings: Settings, services: Services, adapters: Adapters) -> list[Worker]:
    """What runs beside the requests, until the replica stops."""
    lossy, publisher = adapters.lossy, adapters.publisher
    interval, dsn = settings.heartbeat_interval, settings.database_url
    workers: list[Worker] = [
        Follower(services.feed, lossy.notices).run,
        Heartbeats(services.feed, interval).run,
        services.signing_keys.run,
        adapters.encryption.run,
        services.revoking.run,
        services.uses.run,
        services.denials.run,
        services.reveals.run,
        Scheduler(PostgresLeadership(dsn, "scheduler"), services.proposals.due(ourselves())).run,
        Rollouts(
            PostgresLeadership(dsn, "rollouts"),
            services.acting.driving(services.evidences, ourselves()),
            services.evidences.alarms,
        ).run,
        RenewalWorker(PostgresLeadership(dsn, "renewal"), services.renewal).run,
        Housekeeping(PostgresLeadership(dsn, "housekeeping", publishes=publisher is not None)).run,
    ]
    if publisher is not None:
        leadership = PostgresLeadership(dsn, "relay")
        relay = Relay(
            leadership, publisher, lossy.notices, services.feed, services.registry, services.metrics, interval
        )
        workers.append(relay.run)
    return workers

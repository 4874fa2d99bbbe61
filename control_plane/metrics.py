"""Every instrument of the control plane, in one place; `/metrics` shows them in Prometheus' text form."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The instruments. Labels are bounded: routes, methods, statuses and layers, never keys, apps or tokens."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "trimtab_http_requests_total", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "trimtab_http_request_seconds",
            "Time to answer a request.",
            ["method", "route"],
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.rate_limited = Counter(
            "trimtab_http_rate_limited_total",
            "Requests refused because they came too often.",
            ["kind"],
            registry=self.registry,
        )
        self.overloaded = Counter(
            "trimtab_http_overloaded_total",
            "Requests for something large that were sent away because too many came at once.",
            registry=self.registry,
        )
        self.cache_hits = Counter(
            "trimtab_snapshot_cache_hits_total", "Snapshots served from a cache.", ["layer"], registry=self.registry
        )
        self.cache_misses = Counter(
            "trimtab_snapshot_cache_misses_total", "Snapshots not found in a cache.", ["layer"], registry=self.registry
        )
        self.cache_refused = Counter(
            "trimtab_snapshot_cache_refused_total",
            "Cached snapshots that no replica put there.",
            registry=self.registry,
        )
        self.pool_size = Gauge("trimtab_postgres_pool_connections", "Connections open.", registry=self.registry)
        self.pool_idle = Gauge(
            "trimtab_postgres_pool_idle_connections", "Connections free to use.", registry=self.registry
        )
        self.heavy_reads = Counter(
            "trimtab_database_heavy_reads_total",
            "Lists, exports and other reads that a replica may answer, by who did. None without a replica.",
            ["server"],
            registry=self.registry,
        )
        self.commits = Counter(
            "trimtab_changes_committed_total", "Changes committed by this replica.", registry=self.registry
        )
        self.revision = Gauge(
            "trimtab_revision", "Last committed revision that this replica knows.", registry=self.registry
        )
        self.feed_age = Gauge(
            "trimtab_feed_unchecked_seconds",
            "Time since this replica was last known to be level with the database.",
            registry=self.registry,
        )
        self.dependency_errors = Counter(
            "trimtab_dependency_errors_total",
            "Calls that a dependency failed and that were done without it.",
            ["dependency"],
            registry=self.registry,
        )
        self.leader = Gauge("trimtab_leader", "1 where this replica leads, else 0.", registry=self.registry)
        self.outbox_depth = Gauge(
            "trimtab_outbox_messages",
            "Messages committed and not yet published (at the leader).",
            registry=self.registry,
        )
        self.outbox_age = Gauge(
            "trimtab_outbox_oldest_seconds",
            "Age of the oldest unpublished message (at the leader).",
            registry=self.registry,
        )
        self.published = Counter(
            "trimtab_relay_published_total", "Messages confirmed by the broker.", registry=self.registry
        )
        self.relay_lag = Histogram(
            "trimtab_relay_lag_seconds",
            "Time from commit to the broker's confirm.",
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.streams = Gauge("trimtab_sse_streams", "Agents following by SSE on this replica.", registry=self.registry)
        self.streams_dropped = Counter(
            "trimtab_sse_streams_dropped_total",
            "Streams closed because their reader was too slow.",
            registry=self.registry,
        )

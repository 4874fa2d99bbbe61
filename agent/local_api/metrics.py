"""`/metrics`: what `Status` and the local API count, in Prometheus' text form. Every label is bounded."""

from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from agent.local_api.answers import REASONS
from agent.local_api.freshness import Freshness
from agent.local_api.traffic import Requests
from agent.local_api.view import AgentView
from agent.local_api.watch import Watch
from agent.sync.health import Condition
from agent.sync.status import State
from shared.runtime.connection import SERVER

_PREFIX = "trimtab_agent_"
_COUNTERS = {
    "applied": "Snapshots made visible, by message or by fetch.",
    "resyncs": "Fetches from the control plane.",
    "gaps": "Messages that were missed and noticed.",
    "rejections": "Changes that were refused.",
    "reconnects": "Times that a feed had to be followed again.",
    "malformed": "Messages that could not be read.",
    "keep_failures": "Times that the last known good could not be kept.",
}
_TRANSPORTS = ("amqp", "sse")


class Metrics(Collector):
    """Reads everything at the moment of the scrape; nothing is kept twice."""

    def __init__(self, view: AgentView, freshness: Freshness, requests: Requests, watch: Watch) -> None:
        self._view, self._freshness, self._requests, self._watch = view, freshness, requests, watch
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def scrape(self) -> web.Response:
        """Everything as text."""
        headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store", "Server": SERVER}
        return web.Response(body=generate_latest(self._registry), headers=headers)

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield self._info()
        yield from self._state()
        for name, text in _COUNTERS.items():
            yield _counter(name, text, getattr(self._view.status, name))
        yield from self._application()
        yield from self._trouble()
        yield self._evaluations()
        yield from self._files()
        yield self._by_route()
        yield _gauge("watchers", "Streams open on /v1/watch.", self._watch.readers)
        yield _counter("watchers_dropped", "Streams closed because their reader was too slow.", self._watch.dropped)

    def _trouble(self) -> Iterator[Metric]:
        unsupported = self._view.store.current.program.unsupported
        yield _gauge(
            "unsupported_configs", "Configs that cannot be understood and yield their baseline.", len(unsupported)
        )
        if (skew := self._view.skew.reading) is not None:
            yield _gauge("clock_skew_seconds", "How far this clock is ahead of the control plane's.", skew.seconds)
            text = "How far off that measurement may be, either way."
            yield _gauge("clock_skew_uncertainty_seconds", text, skew.uncertainty)

    def _evaluations(self) -> Metric:
        text = "Configs resolved for applications; a list without a context counts when it is built."
        evaluations = CounterMetricFamily(f"{_PREFIX}evaluations", text, labels=["reason"])
        for reason in REASONS:
            evaluations.add_metric([reason], self._view.usage.reasons[reason])
        return evaluations

    def _application(self) -> Iterator[Metric]:
        health, outcomes = self._view.health, self._view.outcomes
        if health.probes:
            healthy = health.condition is Condition.HEALTHY
            yield _gauge("application_healthy", "1 while the application's probe says that it is healthy.", healthy)
        yield _counter("probes", "Probes of the application.", health.probes)
        yield _counter("probes_failed", "Probes of the application that failed.", health.failed)
        yield _counter("outcomes", "Outcomes that applications told, of candidates and baselines.", outcomes.counted)
        yield _counter("outcomes_dropped", "Outcomes that there was no room for.", outcomes.dropped)

    def _info(self) -> Metric:
        snapshot, identity = self._view.store.current, self._view.identity
        info = GaugeMetricFamily(
            f"{_PREFIX}info", "Who this is.", labels=["version", "app_id", "environment", "instance"]
        )
        labels = [identity.agent_version, snapshot.app_id, snapshot.environment, identity.instance]
        info.add_metric(labels, 1)
        return info

    def _state(self) -> Iterator[Metric]:
        status, snapshot = self._view.status, self._view.store.current
        yield _gauge("ready", "1 where /readyz answers 200, else 0.", not self._freshness.unready())
        yield _gauge("revision", "The applied revision.", snapshot.revision)
        yield _gauge("upstream_revision", "The highest revision heard of.", status.upstream_revision)
        yield _gauge("configs", "Effective configs.", len(snapshot.effective))
        if (age := self._freshness.staleness()) is not None:
            yield _gauge("staleness_seconds", "Time since agreement with the control plane was last known.", age)
        state = GaugeMetricFamily(f"{_PREFIX}state", "1 for the state that the agent is in.", labels=["state"])
        for each in State:
            state.add_metric([each], each is status.state)
        yield state
        connected = GaugeMetricFamily(f"{_PREFIX}connected", "1 for the feed that is followed.", labels=["transport"])
        for transport in _TRANSPORTS:
            connected.add_metric([transport], transport == status.transport)
        yield connected

    def _files(self) -> Iterator[Metric]:
        files = self._view.files
        yield _gauge("files", "Files to render.", len(files))
        yield _gauge("files_failing", "Files that could not be brought up to date.", sum(bool(f.error) for f in files))
        yield _counter("file_writes", "Files written because their content changed.", sum(f.writes for f in files))
        yield _counter("file_failures", "Attempts to render that failed.", sum(f.failures for f in files))

    def _by_route(self) -> Metric:
        requests = CounterMetricFamily(f"{_PREFIX}http_requests", "Requests answered.", labels=["route", "status"])
        for (route, status), count in self._requests.counts.items():
            requests.add_metric([route, status], count)
        return requests


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)

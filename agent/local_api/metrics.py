"""`/metrics`: what the agent's parts count, in Prometheus' text form. Every label is bounded."""

import platform
from collections.abc import Iterator
from itertools import product

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from agent.local_api.answers import REASONS, Answers
from agent.local_api.families import counter, counters, gauge, gauges, histogram, histograms
from agent.local_api.freshness import Freshness
from agent.local_api.reply import Reply
from agent.local_api.traffic import Requests
from agent.local_api.view import AgentView
from agent.local_api.watch import Watch
from agent.sync.health import Condition
from agent.sync.results import Ending, Hook, Rendering
from agent.sync.status import CHANNELS, TROUBLES, State
from shared.runtime.connection import SERVER

_COUNTERS = {
    "applied": "Snapshots made visible, by message or by fetch.",
    "resyncs": "Fetches from the control plane.",
    "gaps": "Messages that were missed and noticed.",
    "rejections": "Changes that were refused.",
    "reconnects": "Times that a feed had to be followed again.",
    "malformed": "Messages that could not be read.",
    "untrusted": "Messages and snapshots that were refused: no key of the control plane's signed them.",
    "keep_failures": "Times that the last known good could not be kept.",
}
_TRANSPORTS = ("amqp", "sse")
_REMARKS = ("override", "file", "hook", "drift", "template", "settings", "fallback", "exec", "secret", "signature")
_OTHER = "other"


class Metrics(Collector):
    """Reads everything at the moment of the scrape; nothing is kept twice."""

    def __init__(
        self, view: AgentView, freshness: Freshness, requests: Requests, watch: Watch, answers: Answers
    ) -> None:
        self._view, self._freshness, self._requests, self._watch = view, freshness, requests, watch
        self._answers = answers
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def scrape(self) -> Reply:
        """Everything as text."""
        headers = (("Content-Type", CONTENT_TYPE_LATEST), ("Cache-Control", "no-store"), ("Server", SERVER))
        return Reply(200, headers, self.exposition())

    def exposition(self) -> bytes:
        """The text."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield from self._info()
        yield from self._state()
        for name, text in _COUNTERS.items():
            yield counter(name, text, getattr(self._view.status, name))
        yield from self._trouble()
        yield from self._application()
        yield from self._evaluations()
        yield from self._files()
        yield from self._traffic()

    def _info(self) -> Iterator[Metric]:
        snapshot, identity = self._view.store.current, self._view.identity
        who = [identity.agent_version, snapshot.app_id, snapshot.environment, identity.instance]
        yield gauges("info", "Who this is.", ["version", "app_id", "environment", "instance"], [(who, 1)])
        build = [identity.agent_version, platform.python_version()]
        yield gauges("build_info", "What this was built from.", ["version", "python_version"], [(build, 1)])

    def _state(self) -> Iterator[Metric]:
        status, snapshot = self._view.status, self._view.store.current
        yield gauge("ready", "1 where /readyz answers 200, else 0.", not self._freshness.unready())
        yield gauge("revision", "The revision that readers see.", snapshot.revision)
        text = "The applied revision; readers see an older one during a fallback."
        yield gauge("applied_revision", text, self._view.store.applied.revision)
        yield gauge("upstream_revision", "The highest revision heard of.", status.upstream_revision)
        yield gauge("configs", "Effective configs.", len(snapshot.effective))
        if (age := self._freshness.staleness()) is not None:
            yield gauge("staleness_seconds", "Time since agreement with the control plane was last known.", age)
        if status.applied_at is not None:
            text = "When something was last applied, in unix time."
            yield gauge("applied_timestamp_seconds", text, status.applied_at.timestamp())
        states = [([each], each is status.state) for each in State]
        yield gauges("state", "1 for the state that the agent is in.", ["state"], states)
        feeds = [([each], each == status.transport) for each in _TRANSPORTS]
        yield gauges("connected", "1 for the feed that is followed.", ["transport"], feeds)

    def _trouble(self) -> Iterator[Metric]:
        view = self._view
        errors = [([*each], view.status.upstream_errors[each]) for each in product(CHANNELS, TROUBLES)]
        text = "Times that the control plane or the broker failed us, by what for and how."
        yield counters("upstream_errors", text, ["channel", "reason"], errors)
        unsupported = view.store.current.program.unsupported
        yield gauge(
            "unsupported_configs", "Configs that cannot be understood and yield their baseline.", len(unsupported)
        )
        if (skew := view.skew.reading) is not None:
            yield gauge("clock_skew_seconds", "How far this clock is ahead of the control plane's.", skew.seconds)
            text = "How far off that measurement may be, either way."
            yield gauge("clock_skew_uncertainty_seconds", text, skew.uncertainty)
        yield gauge("refusing", "1 while the application does not get what was applied.", view.remarks.refuses)
        kinds = [each.kind if each.kind in _REMARKS else _OTHER for each in view.remarks.current]
        text = "What operators should know of this agent, as /status tells it."
        yield gauges("remarks", text, ["kind"], [([each], kinds.count(each)) for each in (*_REMARKS, _OTHER)])

    def _application(self) -> Iterator[Metric]:
        health, outcomes = self._view.health, self._view.outcomes
        if health.probes:
            healthy = health.condition is Condition.HEALTHY
            yield gauge("application_healthy", "1 while the application's probe says that it is healthy.", healthy)
        yield counter("probes", "Probes of the application.", health.probes)
        yield counter("probes_failed", "Probes of the application that failed.", health.failed)
        yield counter("outcomes", "Outcomes that applications told, of candidates and baselines.", outcomes.counted)
        yield counter("outcomes_dropped", "Outcomes that there was no room for.", outcomes.dropped)

    def _evaluations(self) -> Iterator[Metric]:
        text = "Configs resolved for applications; a list without a context counts when it is built."
        reasons = self._view.usage.reasons
        yield counters("evaluations", text, ["reason"], [([each], reasons[each]) for each in REASONS])
        text = "Time to resolve: of single configs one in some dozens is timed, of documents each that is built."
        by = [("one", self._answers.single), ("many", self._answers.documents)]
        yield histograms("evaluation_duration_seconds", text, "configs", by)

    def _files(self) -> Iterator[Metric]:
        files, results = self._view.files, self._view.results
        yield gauge("files", "Files to render.", len(files))
        yield gauge("files_failing", "Files that could not be brought up to date.", sum(bool(f.error) for f in files))
        yield counter("file_writes", "Files written because their content changed.", sum(f.writes for f in files))
        yield counter("file_failures", "Attempts to render that failed.", sum(f.failures for f in files))
        renderings = [([each], results.renderings[each]) for each in Rendering]
        yield counters("renderings", "File sets brought up to date, by how it ended.", ["outcome"], renderings)
        yield histogram("rendering_duration_seconds", "Time to bring a file set up to date.", results.rendering)
        hooks = [([*each], results.hooks[each]) for each in product(Hook, Ending)]
        yield counters("hooks", "Hooks called after or before a change.", ["hook", "outcome"], hooks)
        yield histogram("hook_duration_seconds", "Time that hooks took.", results.hook)

    def _traffic(self) -> Iterator[Metric]:
        reads = [([face, outcome], count) for face, outcome, count in self._requests.reads()]
        yield counters("reads", "Reads by applications.", ["face", "outcome"], reads)
        requests = [([route, family], count) for route, family, count in self._requests.by_class()]
        yield counters("http_requests", "Requests answered, of any kind.", ["route", "status"], requests)
        yield gauge("watchers", "Streams open on /v1/watch.", self._watch.readers)
        yield counter("watchers_dropped", "Streams closed because their reader was too slow.", self._watch.dropped)

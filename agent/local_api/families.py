"""The metric families of `/metrics`, each with our prefix: how Prometheus wants them spelled."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from agent.snapshot.durations import Durations

_PREFIX = "trimtab_agent_"

Sample = tuple[Sequence[str], float]
"""The values of the labels, and the number."""


def gauge(name: str, text: str, value: float) -> Metric:
    """One number that goes up and down."""
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def gauges(name: str, text: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    """Some of them."""
    family = GaugeMetricFamily(_PREFIX + name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def counter(name: str, text: str, value: float) -> Metric:
    """One number that only grows; the exposition adds `_total`."""
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def counters(name: str, text: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    """Some of them."""
    family = CounterMetricFamily(_PREFIX + name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def histogram(name: str, text: str, durations: Durations) -> Metric:
    """How long something takes."""
    family = HistogramMetricFamily(_PREFIX + name, text)
    family.add_metric([], _buckets(durations), durations.seconds)
    return family


def histograms(name: str, text: str, label: str, by: Iterable[tuple[str, Durations]]) -> Metric:
    """The same by a label."""
    family = HistogramMetricFamily(_PREFIX + name, text, labels=[label])
    for value, durations in by:
        family.add_metric([value], _buckets(durations), durations.seconds)
    return family


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    bounds = [*(f"{each:g}" for each in durations.bounds), "+Inf"]
    return list(zip(bounds, accumulate(durations.buckets), strict=True))

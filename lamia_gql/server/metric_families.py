"""The kinds of metrics, as Prometheus' library has them: each with the values of its labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from lamia_gql.domain.histogram import Histogram

PREFIX = "lamia_"
Labels = tuple[str, ...]
"""The values of the labels of one sample."""


def _numbers(
    family: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    meaning: str,
    values: Mapping[Labels, float],
    labels: Sequence[str] = (),
) -> Metric:
    found = family(PREFIX + name, meaning, labels=labels)
    for sample, value in values.items():
        found.add_metric(sample, value)
    return found


counter = partial(_numbers, CounterMetricFamily)
gauge = partial(_numbers, GaugeMetricFamily)


def histogram(
    name: str, meaning: str, values: Mapping[Labels, Histogram], labels: Sequence[str] = ()
) -> Metric:
    """A histogram, with the values of its labels."""
    family = HistogramMetricFamily(PREFIX + name, meaning, labels=labels)
    for sample, found in values.items():
        bounds = [*map(str, map(float, found.bounds)), "+Inf"]
        family.add_metric(sample, list(zip(bounds, found.cumulated(), strict=True)), found.sum)
    return family


def with_label(name: str, value: str, metrics: Iterable[Metric]) -> list[Metric]:
    """The metrics with a further label."""
    found = []
    for metric in metrics:
        labelled = Metric(metric.name, metric.documentation, metric.type)
        for sample in metric.samples:
            labelled.add_sample(sample.name, {**sample.labels, name: value}, sample.value)
        found.append(labelled)
    return found

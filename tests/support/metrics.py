"""The metrics of a server, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from tests.support.harness import Server

Labels = frozenset[tuple[str, str]]


class Samples:
    """All samples of one scrape."""

    def __init__(self, text: str) -> None:
        self._samples: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = frozenset(sample.labels.items())
                assert labels not in self._samples.setdefault(sample.name, {}), sample
                self._samples[sample.name][labels] = sample.value

    @property
    def names(self) -> Iterable[str]:
        """The names of all samples."""
        return self._samples.keys()

    def values(self, name: str, label: str) -> set[str]:
        """The values that a label has."""
        return {dict(labels).get(label, "") for labels in self._samples[name]}

    def sum(self, name: str, **wanted: str) -> float:
        """The sum of the samples with these labels."""
        return sum(
            value
            for labels, value in self._samples.get(name, {}).items()
            if wanted.items() <= dict(labels).items()
        )


def scrape(server: Server) -> Samples:
    """What the server says now."""
    answer = server.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Samples(answer.text)

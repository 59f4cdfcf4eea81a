"""Which job of which task the job of an access point is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lamia_gql.adapters.condor.record_fields import parse_index


class JobName(NamedTuple):
    """A job on the server."""

    task: str
    process: str
    job_index: int


class JobTarget(NamedTuple):
    """What the user says about the jobs in a log.

    What is not said is taken from the attributes LamiaTask and LamiaProcess of the job.
    """

    task: str | None = None
    process: str | None = None
    first_index: int = 0
    """The index of the first job of a cluster."""
    clusters: frozenset[int] = frozenset()
    """The clusters that count; all if empty."""

    def find(
        self, cluster: int, proc: int, node: str | None, attributes: Mapping[str, Any]
    ) -> JobName | None:
        """Return the job; None if it is of no concern.

        Args:
            cluster: number of the cluster.
            proc: number in the cluster.
            node: name in the DAG, if it is in one. It is the process unless another one is named.
            attributes: of the job, by their names.
        """
        if self.clusters and cluster not in self.clusters:
            return None
        task = self.task or _text(attributes.get("LamiaTask"))
        process = self.process or _text(attributes.get("LamiaProcess")) or node
        if task is None or process is None:
            return None
        index = parse_index(attributes.get("LamiaIndex"))
        return JobName(task, process, proc + self.first_index if index is None else index)


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None

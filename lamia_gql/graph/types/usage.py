"""The type ``JobUsage``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import strawberry

from lamia_gql.graph.types.fields import field


@strawberry.type(description="What a job has used, and what it was given; null where not known.")
class JobUsage:
    """What a job has used."""

    cpu_seconds: float | None = field("CPU time of all its processes, in seconds.")
    wall_seconds: float | None = field("Time since its start, in seconds.")
    max_rss_bytes: float | None = field("Largest resident memory, in bytes.")
    read_bytes: float | None = field("Bytes read.")
    write_bytes: float | None = field("Bytes written.")
    cpus: float | None = field("Number of CPUs that the job was given.")
    requested_memory_bytes: float | None = field("Memory that was requested for the job, in bytes.")


class UsageValues(NamedTuple):
    """The values of :class:`JobUsage`."""

    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    max_rss_bytes: float | None = None
    read_bytes: float | None = None
    write_bytes: float | None = None
    cpus: float | None = None
    requested_memory_bytes: float | None = None


def usage_values(told: Mapping[str, Any] | None) -> UsageValues | None:
    """The usage among the details of a job or an event; None if there is none."""
    if told is None:
        return None
    known = {name: told[name] for name in UsageValues._fields if name in told}
    return UsageValues(**known) if known else None

"""The type ``ProcessUsage``: how long the jobs of a process took, and what they used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, NamedTuple, Self

import strawberry

from lamia_gql.domain.pagination import check_size
from lamia_gql.domain.usage_sketch import (
    MOST_JOBS,
    MS_PER_S,
    STRAGGLER,
    Bucket,
    Measure,
    histogram,
    quantile,
)
from lamia_gql.graph.reads import Reads, ValueRead
from lamia_gql.graph.types.arguments import argument
from lamia_gql.graph.types.fields import column, derived, field, value
from lamia_gql.storage.queries.failures import MAX_HOSTS
from lamia_gql.storage.queries.host_usage import HostUsageRow, read_host_usage
from lamia_gql.storage.queries.runs import indices_text, spans
from lamia_gql.storage.queries.stragglers import started_before
from lamia_gql.storage.queries.usage import Buckets, read_usage
from lamia_gql.storage.row_shape import ComputedShape
from lamia_gql.storage.rows import ProcessRow


@strawberry.type(description="A part of a histogram.")
class HistogramBin:
    """A bin of a histogram."""

    begin: float = field("Values in it are larger than this.")
    end: float = field("Values in it are not larger than this.")
    count: int = field("Number of jobs.")


class BinValues(NamedTuple):
    """The values of :class:`HistogramBin`."""

    begin: float
    end: float
    count: int  # type: ignore[assignment] # the method of a tuple, which nobody calls


@strawberry.type(description="How long jobs ran that are DONE, in seconds; within 2 %.")
class DurationStatistics:
    """The durations of jobs."""

    count: int = field("Number of jobs.")
    mean: float = field("Mean, which is exact.")
    min: float = field("Shortest duration.")
    median: float = field("Half of the jobs did not take longer.")
    p95: float = field("95 % of the jobs did not take longer.")
    max: float = field("Longest duration.")
    histogram: list[HistogramBin] = field(
        "Number of jobs by their durations: bins that follow each other, each wider than the one"
        " before by the same factor; at most 24."
    )


class DurationValues(NamedTuple):
    """The values of :class:`DurationStatistics`."""

    count: int  # type: ignore[assignment] # likewise
    mean: float
    min: float
    median: float
    p95: float
    max: float
    histogram: tuple[BinValues, ...]


@strawberry.type(
    description="Largest memory of jobs that have ended and told it, in bytes; within 2 %."
)
class MemoryStatistics:
    """The memory of jobs."""

    count: int = field("Number of jobs.")
    median: float = field("Half of the jobs did not need more.")
    p95: float = field("95 % of the jobs did not need more.")
    max: float = field("What the largest job needed.")
    requested: float | None = field(
        "What was requested for a job, on average. Null if no job told it."
    )


class MemoryValues(NamedTuple):
    """The values of :class:`MemoryStatistics`."""

    count: int  # type: ignore[assignment] # likewise
    median: float
    p95: float
    max: float
    requested: float | None


class UsageRow(NamedTuple):
    """What is computed from the buckets of a process."""

    task_id: int
    number: int
    is_array: bool
    first_index: int
    duration: DurationValues | None
    memory: MemoryValues | None
    efficiency: float | None


@strawberry.type(description="Jobs that run much longer than those that are DONE.")
class Stragglers:
    """Jobs that run for long."""

    longer_than: float = field(
        "They have run longer than this, in seconds: 1.5 times the `p95` of the DONE jobs."
    )
    count: int = field("Number of jobs, up to 10,000.")
    indices: str = field("Their indices as ranges, `813,900-904`. Empty in a solitary process.")


class StragglerValues(NamedTuple):
    """The values of :class:`Stragglers`."""

    longer_than: float
    count: int  # type: ignore[assignment] # likewise
    indices: str


@strawberry.type(description="The jobs of a process that ended on a host.")
class HostUsage:
    """A host."""

    hostname: str | None = field("The host. Null for jobs that told none.")
    done: int = field("Number of DONE jobs.")
    unsuccessful: int = field("Number of jobs that ended without success.")
    mean_duration: float | None = field(
        "How long the DONE ones ran on average, in seconds. Null if there are none that told when"
        " they started."
    )
    mean_memory: float | None = field(
        "The largest memory of a job, on average, in bytes. Null if none told it."
    )
    efficiency: float | None = field(
        "CPU time that the jobs used, divided by what they were given. Null if none told both."
    )


def _hosts(
    *,
    first: Annotated[int, argument("Largest number of hosts, from 1 to 1,000.")] = 20,
) -> ValueRead:
    check_size("first", first, 1, MAX_HOSTS)

    def read(reads: Reads, rows: Sequence[UsageRow]) -> list[list[HostUsageRow]]:
        keys = [(row.task_id, row.number, row.first_index) for row in rows]
        return read_host_usage(reads.connection, keys, first)

    return ValueRead(("usage.hosts", first), read)


def _stragglers() -> ValueRead:
    def read(reads: Reads, rows: Sequence[UsageRow]) -> list[StragglerValues | None]:
        limits = [None if row.duration is None else STRAGGLER * row.duration.p95 for row in rows]
        wanted = [
            (row.task_id, row.number, reads.now - timedelta(seconds=limit))
            for row, limit in zip(rows, limits, strict=True)
            if limit is not None
        ]
        jobs = iter(started_before(reads.connection, wanted))
        found: list[StragglerValues | None] = []
        for row, limit in zip(rows, limits, strict=True):
            if limit is None:
                found.append(None)
                continue
            indices = next(jobs)
            text = indices_text(spans(indices)) if row.is_array else ""
            reads.budget.hold(len(text))
            found.append(StragglerValues(limit, len(indices), text))
        return found

    return ValueRead("usage.stragglers", read)


def _duration(duration: DurationValues | None) -> DurationValues | None:
    return duration


def _memory(memory: MemoryValues | None) -> MemoryValues | None:
    return memory


@strawberry.type(
    description="How long the jobs of a process took, and what they used. A job counts once it has"
    " ended; if it runs again, it does not until it has ended again."
)
class ProcessUsage:
    """The usage of a process."""

    row: strawberry.Private[UsageRow]

    duration: DurationStatistics | None = derived(
        "How long DONE jobs ran. Null if there are none that told when they started.", _duration
    )
    memory: MemoryStatistics | None = derived(
        "How much memory jobs needed. Null if none told it.", _memory
    )
    efficiency: float | None = column(
        "efficiency",
        "CPU time that jobs used, divided by what they were given: their `cpus` for as long as"
        " they ran. Null if none told all of that.",
    )
    stragglers: Stragglers | None = value(
        "Jobs that run 1.5 times as long as 95 % of the DONE jobs. Null if none is DONE.",
        _stragglers,
    )
    hosts: list[HostUsage] = value(
        "Hosts on which jobs ended: those on which they took longest come first. Of an array with"
        " more jobs, the first 100,000 count.",
        _hosts,
    )

    @classmethod
    def of(cls, found: UsageRow) -> Self:
        """The usage of a row."""
        return cls(row=found)


def usage_of() -> ValueRead:
    """What is read of the usage of processes."""

    def read(reads: Reads, rows: Sequence[ProcessRow]) -> list[UsageRow]:
        found = read_usage(reads.connection, [(row.task_id, row.number) for row in rows])
        return [
            UsageRow(
                row.task_id,
                row.number,
                row.is_array,
                row.first_index,
                _duration_values(buckets),
                _memory_values(buckets),
                _efficiency(buckets),
            )
            for row, buckets in zip(rows, found, strict=True)
        ]

    return ValueRead("process.usage", read)


def _duration_values(found: Buckets) -> DurationValues | None:
    buckets = found.get(Measure.DURATION)
    if buckets is None:
        return None
    jobs, total = _sums(buckets)
    least, median, p95, most = (quantile(buckets, share) for share in (0, 0.5, MOST_JOBS, 1))
    bins = (
        BinValues(each.begin / MS_PER_S, each.end / MS_PER_S, each.jobs)
        for each in histogram(buckets)
    )
    return DurationValues(
        jobs,
        total / jobs / MS_PER_S,
        least / MS_PER_S,
        median / MS_PER_S,
        p95 / MS_PER_S,
        most / MS_PER_S,
        tuple(bins),
    )


def _memory_values(found: Buckets) -> MemoryValues | None:
    buckets = found.get(Measure.MEMORY)
    if buckets is None:
        return None
    requested = found.get(Measure.REQUESTED_MEMORY)
    mean = None
    if requested is not None:
        number, total = _sums(requested)
        mean = total / number
    median, p95, most = (quantile(buckets, share) for share in (0.5, MOST_JOBS, 1))
    return MemoryValues(_sums(buckets)[0], median, p95, most, mean)


def _efficiency(found: Buckets) -> float | None:
    _, used = _sums(found.get(Measure.CPU, ()))
    _, given = _sums(found.get(Measure.ALLOCATED_CPU, ()))
    return used / given if given else None


def _sums(buckets: Sequence[Bucket]) -> tuple[int, int]:
    """The number of jobs, and the sum of their amounts."""
    return sum(each.jobs for each in buckets), sum(each.total for each in buckets)


USAGE = ComputedShape(UsageRow)

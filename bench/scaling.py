"""What a number of running jobs needs, computed from what was measured.

Writes the tables and the example of ``docs/scaling.md``:

    .venv/bin/python -m bench.scaling
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
PARTS = re.compile(
    r"^(?:\| (?:running jobs|how events are sent) \|.*\n(?:\|.*\n)*|```text\n\d(?:.+\n)*?```\n)",
    re.MULTILINE,
)
"""What is computed, on that page."""
DAY_S = 86_400
BEAT_S = 60
EVENTS_BESIDE_BEATS = 3
"""SUBMITTED, STARTED and the end of each job."""
MEAN_RUN_S = 1_400
"""The mean duration of the fleet's jobs, whose median is 1,200 s."""
IDLE_S = 20
"""How long a server keeps an idle connection."""
BUSY = 0.5
"""The share of the cores that may be busy on average: what comes in bursts takes the rest."""
PROCESS_CONNECTIONS = 20
"""Of a server process to the database, with the default settings: 10 read, 9 write, 1 listens."""
BEAT_DAYS, TASK_DAYS = 7, 90
"""For how long BEATs are kept, and tasks with everything else."""
NUMBERS = (10_000, 100_000, 1_000_000)
EXAMPLE = 100_000
CORES = 2
"""Of the machine where events were measured."""


@dataclass(frozen=True)
class Costs:
    """What was measured. CPU times are in microseconds, sizes in bytes; all for an event, but one.

    Args:
        what: how events are sent.
        server_us: the CPU time of the server.
        postgresql_us: the CPU time of all processes of PostgreSQL.
        table: in the table of events.
        indexes: in its indexes.
        wal: in the write-ahead log.
        job: in all other tables, for a job.
        load: of the machine.
    """

    what: str
    server_us: int
    postgresql_us: int
    table: int
    indexes: int
    wal: int
    job: int
    load: float


ALONE = Costs("an event in a request, each on a new connection", 1006, 415, 136, 219, 2250, 638, 22)
BATCHED = Costs("a thousand events in a request", 34, 43, 126, 162, 2398, 638, 1.4)


@dataclass(frozen=True)
class Needs:
    """What a site needs.

    Args:
        jobs: how many jobs run.
        costs: what their events take.
    """

    jobs: int
    costs: Costs

    @property
    def beats_per_s(self) -> float:
        """BEATs in a second."""
        return self.jobs / BEAT_S

    @property
    def jobs_per_s(self) -> float:
        """Jobs that end in a second, each of which is followed by another one."""
        return self.jobs / MEAN_RUN_S

    @property
    def events_per_s(self) -> float:
        """Events in a second."""
        return self.beats_per_s + EVENTS_BESIDE_BEATS * self.jobs_per_s

    @property
    def server_cores(self) -> float:
        """Cores of the servers."""
        return self.events_per_s * self.costs.server_us / 1e6 / BUSY

    @property
    def processes(self) -> int:
        """Server processes; each uses one core."""
        return math.ceil(self.server_cores)

    @property
    def database_cores(self) -> float:
        """Cores of PostgreSQL."""
        return self.events_per_s * self.costs.postgresql_us / 1e6 / BUSY

    @property
    def wal_per_s(self) -> float:
        """Bytes of the write-ahead log in a second."""
        return self.events_per_s * self.costs.wal

    @property
    def event_bytes(self) -> int:
        """Bytes of an event, with its entries in indexes."""
        return self.costs.table + self.costs.indexes

    @property
    def disk_per_day(self) -> float:
        """Bytes by which the tables grow in a day, while nothing is removed."""
        return DAY_S * (self.events_per_s * self.event_bytes + self.jobs_per_s * self.costs.job)

    @property
    def beat_disk(self) -> float:
        """Bytes of the BEATs that are kept."""
        return BEAT_DAYS * DAY_S * self.beats_per_s * self.event_bytes

    @property
    def other_disk(self) -> float:
        """Bytes of the jobs that are kept, and of their other events."""
        of_job = EVENTS_BESIDE_BEATS * self.event_bytes + self.costs.job
        return TASK_DAYS * DAY_S * self.jobs_per_s * of_job


def measured() -> str:
    """The costs, in Markdown."""
    head = (
        "how events are sent",
        "server",
        "PostgreSQL",
        "table",
        "indexes",
        "write-ahead log",
        "job",
        "load",
    )
    return _table(
        head,
        (
            (
                *(each.what, f"{each.server_us:,} µs", f"{each.postgresql_us:,} µs"),
                *(f"{size:,} B" for size in (each.table, each.indexes, each.wal, each.job)),
                f"{each.load:.0f}",
            )
            for each in (ALONE, BATCHED)
        ),
    )


def needed(costs: Costs) -> str:
    """The needs of each number of jobs, in Markdown."""
    needs = [Needs(jobs, costs) for jobs in NUMBERS]
    return _table(
        ("running jobs", *(f"{each.jobs:,}" for each in needs)),
        (
            ("events a second", *(f"{each.events_per_s:,.0f}" for each in needs)),
            ("server processes, a core each", *(f"{each.processes:,}" for each in needs)),
            ("cores of PostgreSQL", *(f"{math.ceil(each.database_cores):,}" for each in needs)),
            (
                "connections to PostgreSQL",
                *(f"{PROCESS_CONNECTIONS * each.processes:,}" for each in needs),
            ),
            ("write-ahead log", *(f"{_bytes(each.wal_per_s)}/s" for each in needs)),
            ("write-ahead log a day", *(_bytes(DAY_S * each.wal_per_s) for each in needs)),
            ("new rows a day", *(_bytes(each.disk_per_day) for each in needs)),
            (f"BEATs of {BEAT_DAYS} days", *(_bytes(each.beat_disk) for each in needs)),
            (f"the rest, of {TASK_DAYS} days", *(_bytes(each.other_disk) for each in needs)),
        ),
    )


def example() -> str:
    """How the needs of one number of jobs are computed, a line each."""
    needs = Needs(EXAMPLE, ALONE)
    rate, costs = f"{needs.events_per_s:,.0f}", needs.costs
    return "".join(
        f"{line}\n"
        for line in (
            f"{EXAMPLE:,} / {BEAT_S} = {needs.beats_per_s:,.0f} BEATs a second",
            f"{EXAMPLE:,} / {MEAN_RUN_S:,} = {needs.jobs_per_s:.1f} new jobs a second",
            f"{needs.beats_per_s:,.0f} + {EVENTS_BESIDE_BEATS} · {needs.jobs_per_s:.1f}"
            f" = {rate} events a second",
            f"{rate} · {costs.server_us:,} µs / {BUSY} = {needs.server_cores:.1f} cores of servers",
            f"{rate} · {costs.postgresql_us:,} µs / {BUSY}"
            f" = {needs.database_cores:.1f} cores of PostgreSQL",
            f"{PROCESS_CONNECTIONS} · {needs.processes} ="
            f" {PROCESS_CONNECTIONS * needs.processes} connections to PostgreSQL",
            f"{rate} · {IDLE_S} s = {IDLE_S * needs.events_per_s:,.0f} connections of jobs",
            f"{rate} · {costs.wal:,} B = {_bytes(needs.wal_per_s)}/s of write-ahead log",
            f"{DAY_S:,} s · ({rate} · ({costs.table} + {costs.indexes}) B"
            f" + {needs.jobs_per_s:.1f} · {costs.job} B) = {_bytes(needs.disk_per_day)}"
            " of new rows a day",
            f"{BEAT_DAYS} · {DAY_S:,} s · {needs.beats_per_s:,.0f} · {needs.event_bytes} B"
            f" = {_bytes(needs.beat_disk)} of BEATs that are kept",
            f"{TASK_DAYS} · {DAY_S:,} s · {needs.jobs_per_s:.1f} · ({EVENTS_BESIDE_BEATS} ·"
            f" {needs.event_bytes} + {costs.job}) B = {_bytes(needs.other_disk)} of the rest",
        )
    )


def room() -> str:
    """How many events the cores that were measured on have room for, in batches, as a line."""
    server_us, postgresql_us = BATCHED.server_us, BATCHED.postgresql_us
    rate = 1e6 * CORES / (server_us + postgresql_us)
    return f"{CORES} cores / ({server_us} + {postgresql_us}) µs = {rate:,.0f} events a second\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _bytes(number: float) -> str:
    """A number of bytes, with two digits at least."""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1_000:
            return f"{_rounded(number)} {unit}"
        number /= 1_000
    return f"{_rounded(number)} TB"


def _rounded(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:,.0f}"


def render(page: str) -> str:
    """The page, with what is computed anew."""
    parts = iter(
        (
            *(needed(ALONE), needed(BATCHED), f"```text\n{example()}```\n"),
            *(measured(), f"```text\n{room()}```\n"),
        )
    )
    return PARTS.sub(lambda _: next(parts), page)


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(PAGE.read_text()))


if __name__ == "__main__":
    main()

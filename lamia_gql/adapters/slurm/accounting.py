"""Jobs that have ended, with what they have used, as ``sacct`` shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from lamia_gql.adapters.slurm.job_queue import parse_indices
from lamia_gql.adapters.slurm.job_record import (
    JobRecord,
    is_later_part,
    parse_bytes,
    parse_exit,
    parse_time,
)
from lamia_gql.adapters.slurm.slurm_command import SlurmError, run_slurm

FIELDS = (
    *("Cluster", "JobID", "JobIDRaw", "State", "ExitCode", "NodeList", "Submit", "Start", "End"),
    *("AllocCPUS", "ReqMem", "TotalCPU", "MaxRSS", "MaxDiskRead", "MaxDiskWrite"),
    *("Comment", "JobName"),
)
END = "\x1f"
NO_NODES = {"", "None assigned"}
MAX_JOBS = 500
"""How many jobs are asked for at once."""
IS_DISABLED = "accounting storage is disabled"
DURATION = re.compile(r"(?:(?:([0-9]+)-)?([0-9]+):)?([0-9]+):([0-9.]+)")
"""``1-02:03:04``, ``02:03:04`` or ``03:04.567``."""


class Accounting:
    """What a cluster's database knows; nothing where there is none.

    Args:
        arguments: which jobs are of interest, as options of ``sacct``.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.is_enabled = True
        """Whether there may be a database; false once ``sacct`` has said that there is none."""

    def find_since(self, since: str) -> set[str]:
        """Return the numbers of jobs that ran or ended since a time, in a form of ``sacct``.

        Raises :class:`SlurmError`.
        """
        lines = self._run("--allocations", f"--starttime={since}")
        return {line["JobIDRaw"] for line in lines if line["JobIDRaw"].isdecimal()}

    def read(self, job_ids: Iterable[str]) -> dict[str, list[JobRecord]]:
        """Return the records of jobs by their batch ids: one for each run, the latest at the end.

        Raises :class:`SlurmError`.

        Args:
            job_ids: the numbers of jobs. That of an array stands for all its jobs.
        """
        found: dict[str, list[JobRecord]] = {}
        wanted = sorted(job_ids)
        for begin in range(0, len(wanted), MAX_JOBS):
            part = ",".join(wanted[begin : begin + MAX_JOBS])
            for record in _join(self._run("--duplicates", f"--jobs={part}")):
                runs = found.setdefault(record.batch_id, [])
                runs.append(record._replace(restarts=len(runs)))
        return found

    def _run(self, *arguments: str) -> list[dict[str, str]]:
        if not self.is_enabled:
            return []
        form = ",".join(FIELDS)
        command = ["sacct", "--noheader", "--parsable2", f"--delimiter={END}", f"--format={form}"]
        try:
            text = run_slurm([*command, *self._arguments, *arguments])
        except SlurmError as error:
            if IS_DISABLED not in str(error):
                raise
            self.is_enabled = False
            return []
        # Not splitlines(), for which a delimiter would end a line.
        rows = [line.split(END) for line in text.split("\n")]
        return [dict(zip(FIELDS, row, strict=True)) for row in rows if len(row) == len(FIELDS)]


def _join(lines: Iterable[Mapping[str, str]]) -> Iterator[JobRecord]:
    """Yield a record for each run of a job; the lines of its steps tell what it has used."""
    job: JobRecord | None = None
    for line in lines:
        number, dot, _step = line["JobIDRaw"].partition(".")
        if dot:
            if job is not None and job.job_id == number:
                job = job._replace(usage=_add_step(job.usage, line))
            continue
        if job is not None:
            yield from _expand(job)
        job = None if is_later_part(line["JobID"]) else _parse_job(line)
    if job is not None:
        yield from _expand(job)


def _expand(job: JobRecord) -> Iterator[JobRecord]:
    """Yield each job; those of an array that never started share a record: ``1234_[4-7,9%2]``."""
    array, _, task = job.batch_id.partition("_")
    if task.startswith("["):
        for index in parse_indices(task.strip("[]")):
            yield job._replace(batch_id=f"{array}_{index}", job_index=index)
    else:
        yield job


def _parse_job(line: Mapping[str, str]) -> JobRecord:
    exit_code, signal = parse_exit(line["ExitCode"])
    task = line["JobID"].partition("_")[2]
    usage = {"cpus": float(line["AllocCPUS"])} if line["AllocCPUS"].isdecimal() else {}
    memory = parse_bytes(line["ReqMem"])
    if memory:
        usage["requestedMemoryBytes"] = memory
    seconds = parse_duration(line["TotalCPU"])
    if seconds is not None:
        usage["cpuSeconds"] = seconds
    return JobRecord(
        cluster=line["Cluster"],
        job_id=line["JobIDRaw"],
        batch_id=line["JobID"].partition("+")[0],
        job_index=int(task) if task.isdecimal() else None,
        # CANCELLED by 1000
        state=line["State"].partition(" ")[0],
        host=None if line["NodeList"] in NO_NODES else line["NodeList"],
        submitted_at=parse_time(line["Submit"]),
        started_at=parse_time(line["Start"]),
        ended_at=parse_time(line["End"]),
        exit_code=exit_code,
        signal=signal,
        comment=line["Comment"],
        name=line["JobName"],
        usage=usage,
    )


def _add_step(usage: Mapping[str, float], line: Mapping[str, str]) -> dict[str, float]:
    """Return the usage of a job with that of one more of its steps."""
    added = dict(usage)
    rss = parse_bytes(line["MaxRSS"])
    if rss is not None:
        added["maxRssBytes"] = max(rss, usage.get("maxRssBytes", 0.0))
    for name, field in (("readBytes", "MaxDiskRead"), ("writeBytes", "MaxDiskWrite")):
        number = parse_bytes(line[field])
        if number is not None:
            added[name] = number + usage.get(name, 0.0)
    return added


def parse_duration(text: str) -> float | None:
    """Return the seconds of ``1-02:03:04``, ``02:03:04`` or ``03:04.567``; None otherwise."""
    found = DURATION.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes = (int(found[i] or 0) for i in (1, 2, 3))
    return 86400.0 * days + 3600 * hours + 60 * minutes + float(found[4])

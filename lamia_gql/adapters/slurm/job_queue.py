"""Jobs that wait, run or have just ended, as ``squeue`` shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lamia_gql.adapters.slurm.job_record import (
    JobRecord,
    is_later_part,
    parse_bytes,
    parse_exit,
    parse_time,
)
from lamia_gql.adapters.slurm.slurm_command import SlurmError, run_slurm

END = "\x1f"
"""Ends each field: no name has it."""
FIELDS = (
    *("Cluster", "ArrayJobID", "ArrayTaskID", "JobID", "JobArrayID", "State", "Reason"),
    "RestartCnt",
    *("BatchHost", "NodeList", "SubmitTime", "StartTime", "EndTime", "exit_code", "NumCPUs"),
    *("tres-alloc", "Comment", "Name"),
)
NOTHING = {"", "n/a", "N/A", "(null)"}
"""What stands for a value that there is not."""
UNKNOWN_JOB = "Invalid job id specified"
"""What squeue says of a job that the controller has forgotten."""


def read_queue(*arguments: str) -> list[JobRecord]:
    """Return the jobs that the controller still knows; also those that have ended.

    Jobs of an array that wait are shown on one line; each is a record here.

    Args:
        arguments: what to select, as options of ``squeue``.

    Raises :class:`SlurmError`.
    """
    form = ",".join(f"{field}:{END}" for field in FIELDS)
    command = ["squeue", "--noheader", "--states=all", f"--Format={form}", *arguments]
    return [job for line in run_slurm(command).split(f"{END}\n") for job in _parse_line(line)]


def read_jobs(job_id: str) -> list[JobRecord]:
    """Return a job by its own number, or the jobs of an array that still wait under it.

    Returns nothing if the controller does not know it (any more). Raises :class:`SlurmError`.
    """
    try:
        found = read_queue(f"--jobs={job_id}")
    except SlurmError as error:
        if UNKNOWN_JOB in str(error):
            return []
        raise
    # The number of an array stands for all its jobs, and is that of one of them.
    return [job for job in found if job.job_id == job_id]


def _parse_line(line: str) -> Iterator[JobRecord]:
    values = dict(zip(FIELDS, line.split(END), strict=False))
    if len(values) < len(FIELDS) or is_later_part(values["JobArrayID"]):
        return
    exit_code, signal = parse_exit(values["exit_code"])
    job_id, tasks = values["JobID"], values["ArrayTaskID"]
    host = next((values[f] for f in ("BatchHost", "NodeList") if values[f] not in NOTHING), None)
    record = JobRecord(
        cluster=values["Cluster"],
        job_id=job_id,
        batch_id=job_id,
        job_index=None,
        state=values["State"],
        reason="" if values["Reason"] == "None" else values["Reason"],
        restarts=int(values["RestartCnt"] or 0),
        host=host,
        submitted_at=parse_time(values["SubmitTime"]),
        started_at=parse_time(values["StartTime"]),
        ended_at=parse_time(values["EndTime"]),
        exit_code=exit_code,
        signal=signal,
        comment=values["Comment"] if values["Comment"] not in NOTHING else "",
        name=values["Name"],
        usage=_read_allocation(values["NumCPUs"], values["tres-alloc"]),
    )
    if tasks in NOTHING:
        yield record
        return
    for index in parse_indices(tasks):
        yield record._replace(batch_id=f"{values['ArrayJobID']}_{index}", job_index=index)


def _read_allocation(cpus: str, resources: str) -> dict[str, float]:
    usage = {"cpus": float(cpus)} if cpus.isdecimal() else {}
    by_name = dict(part.split("=", 1) for part in resources.split(",") if "=" in part)
    memory = parse_bytes(by_name.get("mem", ""))
    if memory:
        usage["requestedMemoryBytes"] = memory
    return usage


def parse_indices(text: str) -> Iterator[int]:
    """Yield the indices in ``0-3,7,10-20:2%4``: ranges, steps, and how many run at once."""
    for span in text.partition("%")[0].split(","):
        ends, _, step = span.partition(":")
        first, _, last = ends.partition("-")
        if first.isdecimal():
            yield from range(int(first), int(last or first) + 1, int(step or 1))


def select(records: Iterable[JobRecord], job_ids: frozenset[str]) -> list[JobRecord]:
    """Return the records of these jobs, or of these arrays; all if none is named."""
    if not job_ids:
        return list(records)
    return [r for r in records if job_ids & {r.job_id, r.batch_id, r.batch_id.partition("_")[0]}]

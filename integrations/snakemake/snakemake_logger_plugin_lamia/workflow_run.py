"""From the records of a run of Snakemake to the events of its jobs."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass
from logging import LogRecord
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

from lamia_gql.client.workflow import Workflow
from snakemake_logger_plugin_lamia.failure_texts import FailureTexts
from snakemake_logger_plugin_lamia.index_file import IndexFile

TOTAL = "total"
"""The entry of the statistics that is no rule."""


@dataclass(slots=True)
class RunJob:
    """A job of this run."""

    rule: str
    index: int
    wildcards: dict[str, str]
    is_local: bool
    threads: int
    attempt: int = 0
    started: float = 0.0
    """When it started, by the monotonic clock."""
    is_active: bool = True
    has_failed: bool = False
    """Whether its last attempt has ended, but not well."""


class WorkflowRun:
    """One run of Snakemake.

    A rule is an array, and a job its member, by its wildcards. A job that Snakemake runs on this
    machine is STARTED. Of one that an executor submits elsewhere, Snakemake does not know when it
    starts: it is SUBMITTED until it ends.
    """

    def __init__(self, workflow: Workflow, indices: IndexFile) -> None:
        self._workflow = workflow
        self._indices = indices
        self._jobs: dict[int, RunJob] = {}
        self._rules: set[str] = set()
        self._failures = FailureTexts()
        self._id = uuid.uuid4().hex[:8]
        self._hostname = os.uname().nodename

    def handle(self, record: LogRecord) -> None:
        """Report what a record of Snakemake tells."""
        told = vars(record)
        match told.get("event"):
            case LogEvent.RUN_INFO:
                self._create(told["stats"])
            case LogEvent.JOB_INFO:
                self._start(told)
            case LogEvent.JOB_FINISHED:
                self._end(told["job_id"], "DONE", exitCode=0)
            case LogEvent.ERROR:
                self._failures.add(record.getMessage())
            case LogEvent.JOB_ERROR:
                self._fail(told)

    def close(self) -> None:
        """Report the end of jobs that Snakemake has left, and wait until all is sent."""
        for number in self._jobs:
            self._end(number, "TERMINATED", message="Snakemake ended before this job.")
        if any(job.has_failed for job in self._jobs.values()):
            for rule in sorted(self._rules):
                self._give_up(rule)
        self._workflow.close()

    def _give_up(self, rule: str) -> None:
        """Report that jobs will not run, which would be pending for ever."""
        for index in range(self._indices.count(rule), self._workflow.size(rule)):
            self._workflow.emit(
                rule,
                index,
                "TERMINATED",
                batchId=self._id,
                message="Snakemake ended before this job was started.",
            )

    def _create(self, stats: dict[str, int]) -> None:
        # A later run tells only what is still to be done: its arrays are large enough already.
        sizes = {rule: size for rule, size in stats.items() if rule != TOTAL}
        self._rules.update(sizes)
        self._workflow.require(sizes)
        if self._workflow.is_new:
            self._indices.forget()

    def _start(self, told: dict[str, Any]) -> None:
        number = told["jobid"]
        job = self._jobs.get(number)
        if job is None:
            rule, wildcards = told["rule_name"], {k: str(v) for k, v in told["wildcards"].items()}
            index = self._indices.index(rule, wildcards)
            job = RunJob(rule, index, wildcards, bool(told.get("local")), told["threads"])
            self._jobs[number] = job
        else:
            job.attempt += 1
        job.started, job.is_active, job.has_failed = time.monotonic(), True, False
        label = ", ".join(f"{name}={value}" for name, value in job.wildcards.items())
        self._emit(
            number,
            "STARTED" if job.is_local else "SUBMITTED",
            payload={"label": label, "wildcards": job.wildcards, "reason": told.get("reason")},
        )

    def _fail(self, told: dict[str, Any]) -> None:
        failure = self._failures.take(told.get("shellcmd"), told.get("rule_msg"))
        details = {
            "details": failure.text,
            "log": list(told.get("log") or []) or None,
            "externalJobId": (told.get("aux") or {}).get("external_jobid"),
        }
        self._end(
            told["jobid"],
            "FAILED",
            exitCode=failure.exit_code,
            signal=failure.signal,
            message=failure.message or f"Error in rule {told['rule_name']}.",
            payload={name: value for name, value in details.items() if value is not None} or None,
        )

    def _end(self, number: int, event_class: str, **fields: Any) -> None:
        job = self._jobs.get(number)
        if job is None or not job.is_active:
            return
        job.is_active, job.has_failed = False, event_class != "DONE"
        usage: dict[str, float] = {"cpus": job.threads}
        if job.is_local:
            usage["wallSeconds"] = time.monotonic() - job.started
        self._emit(number, event_class, usage=usage, **fields)

    def _emit(self, number: int, event_class: str, **fields: Any) -> None:
        job = self._jobs[number]
        self._workflow.emit(
            job.rule,
            job.index,
            event_class,
            attempt=job.attempt,
            batchId=f"{self._id}.{number}",
            hostname=self._hostname if job.is_local else None,
            **fields,
        )

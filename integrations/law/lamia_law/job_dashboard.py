"""From the events of law's remote workflows to those of a server."""

from __future__ import annotations

import atexit
import math
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from law.job.dashboard import BaseJobDashboard
from law.workflow.remote import JobData

from lamia_gql.client.configuration import parse_url
from lamia_gql.client.event_details import MAX_BATCH_ID_LENGTH
from lamia_gql.client.workflow import Workflow

STATES = {
    "action.submit": "SUBMITTED",
    "action.cancel": "TERMINATED",
    "status.running": "STARTED",
    "status.finished": "DONE",
    "status.retry": "FAILED",
    "status.failed": "FAILED",
}
"""The class of the event for each event of law; what is pending was submitted."""


class LamiaJobDashboard(BaseJobDashboard):  # type: ignore[misc]  # law has no types
    """What ``create_job_dashboard`` of a remote workflow returns.

    The workflow becomes an array, and its job ``n`` the member ``n - 1``: with one branch a job,
    that is the number of the branch. A retry is the next attempt of the same job.

    Args:
        workflow: the workflow, ``self`` in ``create_job_dashboard``.
        task: the name of the task on the server, which several workflows may share. Defaults to
            LAMIA_TASK, else to the family of the workflow and the time. A workflow that goes on
            with jobs that were submitted before keeps the name.
        process: the name of the array. Defaults to the family of the workflow.
        url: the address of the server. Defaults to LAMIA_URL.

    Raises :class:`ConfigurationError` if there is no address.
    """

    persistent_attributes = ("task", "attempts", "batch_ids")
    """What law keeps with the jobs that it has submitted."""

    def __init__(
        self,
        workflow: Any,
        task: str | None = None,
        *,
        process: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__()
        family = str(workflow.task_family)
        default = f"{family}-{datetime.now():%Y%m%d-%H%M%S}"
        self.task: str = task or os.environ.get("LAMIA_TASK") or default
        self.attempts: dict[str, int] = {}
        """How often each job was submitted again."""
        self.batch_ids: dict[str, str] = {}
        """The id of each job in the batch system, which law forgets when the job has ended."""
        self._process = process or family
        self._size = math.ceil(len(workflow.branch_map) / workflow.tasks_per_job)
        self._url = parse_url(url or os.environ.get("LAMIA_URL", ""))
        self._workflow: Workflow | None = None
        self._told: dict[str, tuple[int, str]] = {}
        """The attempt and class of the last event of each job: law repeats its events."""

    def map_status(self, job_status: str | None, event: str) -> str | None:
        """The class of the event; None for what is not reported."""
        return STATES.get(event)

    def publish(self, job_data: Mapping[str, Any], event: str, job_num: int, *_: Any) -> None:
        """Report an event of a job in the background."""
        event_class = self.map_status(job_data.get("status"), event)
        if event_class is None:
            return
        key = str(job_num)
        attempt = self.attempts.get(key, 0)
        if self._told.get(key) == (attempt, event_class):
            return
        self._told[key] = attempt, event_class
        if job_data["job_id"] not in (None, JobData.dummy_job_id):
            self.batch_ids[key] = str(job_data["job_id"])
        # Each attempt is a submission, by whose id the server counts. One that has failed has none.
        batch_id = self.batch_ids.get(key) or f"{self.task}.{job_num}.{attempt}"
        self._connected().emit(
            self._process,
            job_num - 1,
            event_class,
            batchId=batch_id[-MAX_BATCH_ID_LENGTH:],
            **_describe(job_data, event),
        )
        if event == "status.retry":
            self.attempts[key] = attempt + 1
            self.batch_ids.pop(key, None)

    def create_tracking_url(self) -> str:
        """The address of the task's page, which law's scheduler shows."""
        return f"{self._url}/#/tasks/{quote(self.task, safe='')}"

    def remote_hook_data(self, job_num: int, attempt: int) -> dict[str, Any]:
        """What the jobs are told: their number and attempt."""
        return {"job_num": job_num, "attempt": attempt}

    def _connected(self) -> Workflow:
        """The task, with the array of this workflow; law may have changed its name until now."""
        if self._workflow is None:
            self._workflow = Workflow(self.task, url=self._url, fields={"tags": ["law"]})
            self._workflow.require({self._process: self._size})
            # law tells no dashboard when its workflow has ended.
            atexit.register(self._workflow.close)
        return self._workflow


def _describe(job_data: Mapping[str, Any], event: str) -> dict[str, Any]:
    """What law knows about a job, as fields of an event."""
    branches = list(job_data.get("branches") or [])
    fields: dict[str, Any] = {"payload": {"branches": branches}}
    if event in ("status.finished", "status.retry", "status.failed"):
        fields["exitCode"] = job_data.get("code")
        log = (job_data.get("extra") or {}).get("log")
        if log:
            fields["payload"]["log"] = str(log)
    if event in ("status.retry", "status.failed"):
        fields["message"] = job_data.get("error")
    if event == "action.cancel":
        fields["message"] = "Cancelled by law."
    return fields

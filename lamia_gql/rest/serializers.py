"""Tasks, processes and events as JSON objects. Stored JSON is passed on without parsing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import orjson

from lamia_gql.domain.job_details import USAGE
from lamia_gql.domain.progress import is_enough, task_ratio
from lamia_gql.ingest.event_input import camel_case
from lamia_gql.storage.details_json import decode_values
from lamia_gql.storage.rows import EventRow, ProcessRow, TaskJson, TaskRow

BASE = "/api/v0"
MOST_PERCENT_BELOW_ALL = 99.999999999
"""The largest percentage below 100 with the nine decimals that are shown."""


def address(root: str, *names: str) -> str:
    """The path of a task, or of a process of a task, by their names; behind a proxy's prefix."""
    return "/".join([root + BASE, *(quote(name, safe="") for name in names)])


def serialize_task(
    root: str, task: TaskRow, attached: TaskJson, tags: list[str], processes: Iterable[ProcessRow]
) -> dict[str, Any]:
    """A task with all its processes. ``progress`` is in percent; ``root`` begins the links."""
    processes = list(processes)
    return {
        "name": task.name,
        "username": task.username,
        "emailNotify": task.email,
        "comment": task.comment,
        "submittedAt": task.submitted_at,
        "hostname": task.hostname,
        "submHostIP": task.client_address,
        "tags": tags,
        "config": _json(attached.config),
        "depGraph": _json(attached.dependencies),
        "state": task.state,
        "progress": _percent(task_ratio((p.ratio, p.done, p.job_count) for p in processes)),
        "processes": [serialize_process(root, task.name, process) for process in processes],
        "_links": {"self": address(root, task.name), "collection": address(root)},
    }


def serialize_process(root: str, task: str, process: ProcessRow) -> dict[str, Any]:
    """A process. ``progress`` is in percent, or null; ``nJobs`` is null in a solitary process.

    ``root`` begins the links.
    """
    is_array = process.is_array
    return {
        "name": process.name,
        "task": task,
        "type": "array" if is_array else "solitary",
        "nJobs": process.job_count if is_array else None,
        "fTolerance": process.failure_tolerance if is_array else None,
        "thresholdProgress": process.threshold,
        "lastEventClass": process.last_event_class,
        "progress": _percent(process.ratio),
        "state": process.state,
        "enough": is_enough(process, process),
        "_links": {"events": address(root, task, process.name) + "/event"},
    }


def serialize_event(event: EventRow, process: ProcessRow) -> dict[str, Any]:
    """An event of a process. ``procNumInArray`` is null in a solitary process."""
    told = decode_values(event.details) or {}
    usage = {camel_case(name): told[name] for name in USAGE if name in told}
    return {
        "id": event.id,
        "eventClass": event.event_class,
        "sentAt": event.sent_at,
        # Misspelled in Lamia's first version, and kept for its clients.
        "recievedAt": event.received_at,
        "progress": event.progress,
        "payload": _json(event.payload),
        "hostname": event.hostname,
        "clientIP": event.client_address,
        "procNumInArray": event.job_index if process.is_array else None,
        "exitCode": told.get("exit_code"),
        "signal": told.get("signal"),
        "message": told.get("message"),
        "batchId": told.get("batch_id"),
        "usage": usage or None,
    }


def _percent(ratio: float | None) -> float | None:
    if ratio is None:
        return None
    # Hides rounding errors: 42 of 300 is 14 %, not 14.000000000000002.
    percent = round(100 * ratio, 9)
    # 100 must not be shown for what is not enough yet.
    return percent if ratio >= 1 else min(percent, MOST_PERCENT_BELOW_ALL)


def _json(text: str | None) -> Any:
    return None if text is None else orjson.Fragment(text)

"""Messages of Nextflow: ``POST /hooks/nextflow/{task}``, the address for ``-with-weblog``.

Nextflow sends its messages one after the other. So whatever a message needs is read first, then
written: no other message of the run comes between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from lamia_gql.adapters.nextflow import (
    RUN_PROCESS,
    MessageError,
    RunMessage,
    TaskMessage,
    parse_message,
)
from lamia_gql.api.audit import Action, audit
from lamia_gql.api.request_body import HttpError
from lamia_gql.domain.errors import UserError
from lamia_gql.domain.lifecycle import EventClass, JobState
from lamia_gql.ingest.growth import grow_process
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import add_processes, create_tasks
from lamia_gql.rest.endpoint import RestResponse
from lamia_gql.rest.parsing import parse_submitted_event
from lamia_gql.rest.request import RestRequest
from lamia_gql.storage.queries.events import events_by_id
from lamia_gql.storage.queries.jobs import jobs_by_key
from lamia_gql.storage.queries.processes import processes_by_name
from lamia_gql.storage.queries.tasks import tasks_by_name
from lamia_gql.storage.rows import EventRow, ProcessRow, TaskRow
from lamia_gql.storage.transaction import ReadConnection


@dataclass(frozen=True, slots=True)
class Place:
    """Where the events of a message belong."""

    task: TaskRow | None
    process: ProcessRow | None
    index: int = 0
    failure_id: str | None = None


async def receive(request: RestRequest) -> RestResponse:
    """Store what a message tells, and respond after the commit.

    The task, and the array of a process, are created by the first message about them; an array
    grows with each of its tasks. A message that comes again changes nothing.
    """
    try:
        message = parse_message(await request.json_body())
    except MessageError as error:
        raise HttpError(400, "BAD_REQUEST", str(error)) from error
    events: list[dict[str, Any]] = []
    if isinstance(message, TaskMessage):
        place = await request.read(lambda connection: _find(connection, request.task, message))
        await _make(request, place, ProcessSpec(message.process, place.index + 1))
        events = message.events(place.index, place.failure_id)
    elif isinstance(message, RunMessage):
        place = await request.read(lambda c: _find_process(c, request.task, RUN_PROCESS))
        await _make(request, place, ProcessSpec(RUN_PROCESS))
        events = message.events()
    await _record(request, events)
    return RestResponse({"events": len(events)})


def _find_process(connection: ReadConnection, task: str, process: str) -> Place:
    found = tasks_by_name(connection, [task])[0]
    if found is None:
        return Place(None, None)
    return Place(found, processes_by_name(connection, [(found.id, process)])[0])


def _find(connection: ReadConnection, task: str, message: TaskMessage) -> Place:
    """The job that the message is about: known, failed before, or the next one of its array."""
    place = _find_process(connection, task, message.process)
    if place.task is None or place.process is None:
        return replace(place, failure_id=_failure_id(message, [None]))
    keys = [(place.task.id, each) for each in (message.submission_id, *message.failure_ids)]
    submission, *failures = events_by_id(connection, keys)
    if submission is not None:
        index = submission.job_index
    else:
        index = _failed_index(connection, message, failures, place.process)
    return replace(place, index=index, failure_id=_failure_id(message, failures))


def _failed_index(
    connection: ReadConnection,
    message: TaskMessage,
    failures: Sequence[EventRow | None],
    process: ProcessRow,
) -> int:
    """The index of the first job that the new try continues, else the next one of the array."""
    candidates = [
        failure
        for failure in failures
        if failure is not None and message.may_continue(_payload(failure))
    ]
    keys = [(e.task_id, e.process_number, e.job_index) for e in candidates]
    for job, failure in zip(jobs_by_key(connection, keys), candidates, strict=True):
        if job.state == JobState.FAILED and job.closed_id == failure.id:
            return failure.job_index
    return process.job_count


def _failure_id(message: TaskMessage, failures: Sequence[EventRow | None]) -> str | None:
    """The id for the failure of this try: its own, if it is stored, else the first free one."""
    if message.end_class != EventClass.FAILED:
        return None
    free = None
    for failure_id, failure in zip(message.failure_ids, failures, strict=False):
        if failure is not None and message.is_own(_payload(failure)):
            return failure_id
        if failure is None and free is None:
            free = failure_id
    return free


def _payload(event: EventRow) -> dict[str, Any]:
    found = orjson.loads(event.payload or "{}")
    return found if isinstance(found, dict) else {}


async def _make(request: RestRequest, place: Place, process: ProcessSpec) -> None:
    """Create the task or its process if they are not there, or enlarge the array."""
    services, principal, now = request.services, request.principal, datetime.now(UTC)
    settings, name = services.settings, request.task
    if place.task is None:
        # Without the process of the run, the task would end with each of its jobs.
        run = [] if process.name == RUN_PROCESS else [ProcessSpec(RUN_PROCESS)]
        spec = TaskSpec(
            name, [*run, process], tags=["nextflow"], client_address=request.client_address
        )
        await services.change_tasks(
            principal, lambda: create_tasks(settings, [spec], now, principal)
        )
        audit(principal, request.client_address, Action.CREATE_TASK, [name])
    elif place.process is None:
        await services.change_tasks(
            principal, lambda: add_processes(settings, name, [process], now, principal)
        )
        audit(principal, request.client_address, Action.ADD_PROCESSES, [name])
    elif process.job_count is not None and process.job_count > place.process.job_count:
        size = process.job_count
        await services.change_tasks(
            principal, lambda: grow_process(settings, name, process.name, size, now, principal)
        )
        audit(principal, request.client_address, Action.GROW_PROCESS, [name])


async def _record(request: RestRequest, events: Sequence[dict[str, Any]]) -> None:
    """Store events. Raises the error of the first one that is refused."""
    checked = [
        parse_submitted_event(
            {"task": request.task} | event,
            request.services.settings,
            received_at=request.now,
            client_address=request.client_address,
        )
        for event in events
    ]
    outcomes = await request.services.record_events(
        request.principal, request.client_address, checked
    )
    for outcome in outcomes:
        if isinstance(outcome, UserError):
            raise outcome

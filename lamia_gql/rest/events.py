"""Submitting and reading events: ``/api/v0/{task}/{process}/event``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lamia_gql.api.client_clock import correct_times
from lamia_gql.domain.errors import UserError
from lamia_gql.domain.job_indices import job_index
from lamia_gql.domain.pagination import Slice
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_input import NewEvent, arrival_times
from lamia_gql.rest.endpoint import (
    NOT_FOUND_CODES,
    REST_FIELDS,
    RestResponse,
    serialize_error,
)
from lamia_gql.rest.pagination import page_response, requested_page
from lamia_gql.rest.parsing import parse_array_index, parse_event
from lamia_gql.rest.processes import find_process
from lamia_gql.rest.request import RestRequest
from lamia_gql.rest.serializers import serialize_event
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.events import event_cursors, read_events
from lamia_gql.storage.rows import EventRow, ProcessRow
from lamia_gql.storage.transaction import ReadConnection


async def submit(request: RestRequest) -> RestResponse:
    """Store an event, or each event of a list, and respond after the commit."""
    body, index = await request.json_body(), _index(request)
    if not isinstance(body, list):
        event = [_check(request, index, body, request.now)]
        correct_times(event, request.clock_offset)
        [outcome] = await request.services.record_events(
            request.principal, request.client_address, event
        )
        if isinstance(outcome, UserError):
            raise outcome
        return RestResponse(serialize_outcome(outcome), 201)
    request.services.check_number_of_events(len(body))
    await request.services.wait_for_room(request.principal, request.client_address, len(body))
    checked = [
        _check(request, index, each, received_at)
        for each, received_at in zip(body, arrival_times(request.now, len(body)), strict=True)
    ]
    correct_times(checked, request.clock_offset)
    outcomes = await request.services.record_events(
        request.principal, request.client_address, checked
    )
    for outcome in outcomes:
        if isinstance(outcome, UserError) and outcome.code in NOT_FOUND_CODES:
            raise outcome
    stored = not body or any(isinstance(outcome, Outcome) for outcome in outcomes)
    return RestResponse(
        [serialize_outcome(outcome) for outcome in outcomes], 201 if stored else 400
    )


async def get(request: RestRequest) -> RestResponse:
    """A page of the events of a process, or of one of its jobs, oldest first."""
    index = _index(request)

    def read(connection: ReadConnection) -> tuple[ProcessRow, Slice[EventRow]]:
        process = find_process(connection, request)
        key: tuple[int, ...] = (process.task_id, process.number)
        if index is not None:
            key = (*key, job_index(process, index))
        page = requested_page(request, event_cursors(process.task_id))
        return process, read_events(connection, [key], EventFilter(), page, request.budget.hold)[0]

    process, found = await request.read(read)
    cursors = event_cursors(process.task_id)
    serialized = [serialize_event(event, process) for event in found.items]
    return page_response(request, found, serialized, lambda event: cursors.encode(event.seq))


def _index(request: RestRequest) -> int | None:
    given = request.query.get("arrayIndex")
    return None if given is None else parse_array_index(given)


def _check(
    request: RestRequest, index: int | None, body: Any, received_at: datetime
) -> NewEvent | UserError:
    try:
        return parse_event(
            body,
            request.services.settings,
            task=request.task,
            process=request.process,
            index=index,
            received_at=received_at,
            client_address=request.client_address,
        )
    except UserError as error:
        return error


def serialize_outcome(
    outcome: Outcome | UserError, fields: Mapping[str, str] = REST_FIELDS
) -> dict[str, Any]:
    """What became of an event; ``fields`` has the names of its fields that differ in requests."""
    if isinstance(outcome, UserError):
        return {"created": False, "errors": [serialize_error(outcome, fields)]}
    result = {"created": True, "enough": outcome.enough}
    return result | {"duplicate": True} if outcome.duplicate else result

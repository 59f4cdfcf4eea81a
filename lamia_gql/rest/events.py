"""Events in and out: ``/api/v0/{task}/{process}/event``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lamia_gql.domain.errors import UserError
from lamia_gql.domain.pagination import Slice, encode_opaque, integer
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_input import NewEvent, arrival_times
from lamia_gql.rest.endpoint import NOT_FOUND, Answer, Call, explain
from lamia_gql.rest.pagination import asked_page, page_answer
from lamia_gql.rest.parsing import array_index, event
from lamia_gql.rest.processes import find_process
from lamia_gql.rest.serializers import show_event
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.events import read_events
from lamia_gql.storage.rows import EventRow, ProcessRow, job_index
from lamia_gql.storage.transaction import ReadConnection


async def submit(call: Call) -> Answer:
    """Append an event, or each of a list; answered once they are safely stored."""
    body, index = await call.body(), _index(call)
    if not isinstance(body, list):
        outcome = (await call.services.record([_checked(call, index, body, call.now)]))[0]
        if isinstance(outcome, UserError):
            raise outcome
        return Answer(_told(outcome), 201)
    call.services.check_number_of_events(len(body))
    checked = [
        _checked(call, index, each, received_at)
        for each, received_at in zip(body, arrival_times(call.now), strict=False)
    ]
    outcomes = await call.services.record(checked)
    for outcome in outcomes:
        if isinstance(outcome, UserError) and outcome.code in NOT_FOUND:
            raise outcome
    stored = not body or any(isinstance(outcome, Outcome) for outcome in outcomes)
    return Answer([_told(outcome) for outcome in outcomes], 201 if stored else 400)


async def get(call: Call) -> Answer:
    """A page of the events of a process or of one of its jobs, oldest first."""
    database, index = call.services.database, _index(call)
    page = asked_page(call, "e", (integer,))

    def read(connection: ReadConnection) -> tuple[ProcessRow, Slice[EventRow]]:
        process = find_process(connection, call)
        key: tuple[int, ...] = (process.task_id, process.number)
        if index is not None:
            key = (*key, job_index(process, index))
        return process, read_events(connection, [key], EventFilter(), page)[0]

    process, found = await database.read(read)
    shown = [show_event(each, process) for each in found.items]
    return page_answer(call, found, shown, lambda each: encode_opaque("e", each.seq))


def _index(call: Call) -> int | None:
    given = call.query.get("arrayIndex")
    return None if given is None else array_index(given)


def _checked(
    call: Call, index: int | None, body: Any, received_at: datetime
) -> NewEvent | UserError:
    try:
        return event(
            body,
            call.services.settings,
            task=call.task,
            process=call.process,
            index=index,
            received_at=received_at,
            client_address=call.client_address,
        )
    except UserError as error:
        return error


def _told(outcome: Outcome | UserError) -> dict[str, Any]:
    if isinstance(outcome, UserError):
        return {"created": False, "errors": [explain(outcome)]}
    told = {"created": True, "enough": outcome.enough}
    return told | {"duplicate": True} if outcome.duplicate else told

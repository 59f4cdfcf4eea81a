"""Submitting events of many jobs in one request: ``/api/v0/events``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lamia_gql.api.request_body import parse_json
from lamia_gql.domain.errors import UserError
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_decoder import decode_events
from lamia_gql.ingest.event_input import NewEvent, arrival_times
from lamia_gql.rest.endpoint import RestRequest, RestResponse
from lamia_gql.rest.events import serialize_outcome
from lamia_gql.rest.parsing import parse_submitted_event
from lamia_gql.rest.tasks import create_named

NAME = "events"
"""The last part of the address. It is also the name that a task may have."""


async def submit(request: RestRequest) -> RestResponse:
    """Store each event of a list, or of lines, and respond after the commit.

    An object, which is no list, is a task of this name, to be created.
    """
    if request.has_lines:
        numbered = enumerate((await request.raw_body()).split(b"\n"), 1)
        lines = [(number, line) for number, line in numbered if line.strip()]
        request.services.check_number_of_events(len(lines))
        given: Any = [parse_json(line, f"Line {number}") for number, line in lines]
    else:
        given = await request.json_body()
        if not isinstance(given, list):
            return await create_named(request, NAME, given)
        request.services.check_number_of_events(len(given))
    outcomes = await request.services.record_events(_decode(request, given))
    stored = not given or any(isinstance(outcome, Outcome) for outcome in outcomes)
    return RestResponse(
        [serialize_outcome(outcome, {}) for outcome in outcomes],
        201 if stored else 400,
        lines=request.has_lines,
    )


def _decode(request: RestRequest, given: Sequence[Any]) -> Sequence[NewEvent | UserError]:
    settings, now = request.services.settings, request.now
    decoded = decode_events(settings, given, now, request.client_address)
    if decoded is not None:
        return decoded
    return [
        _check(request, event, received_at)
        for event, received_at in zip(given, arrival_times(now), strict=False)
    ]


def _check(request: RestRequest, event: Any, received_at: datetime) -> NewEvent | UserError:
    try:
        return parse_submitted_event(
            event,
            request.services.settings,
            received_at=received_at,
            client_address=request.client_address,
        )
    except UserError as error:
        return error

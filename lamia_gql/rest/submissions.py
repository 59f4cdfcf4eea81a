"""Submitting events of many jobs in one request: ``/api/v0/events``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from lamia_gql.api.client_clock import correct_times
from lamia_gql.api.request_body import parse_json
from lamia_gql.domain.errors import UserError
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_decoder import decode_events
from lamia_gql.ingest.event_input import NewEvent, arrival_times
from lamia_gql.rest.endpoint import RestResponse
from lamia_gql.rest.events import serialize_outcome
from lamia_gql.rest.parsing import parse_submitted_event
from lamia_gql.rest.request import RestRequest
from lamia_gql.rest.tasks import create_named

PART = 64
"""Of a list that has not the usual form, so many events are checked in one turn."""
NAME = "events"
"""The last part of the address. It is also the name that a task may have."""


async def submit(request: RestRequest) -> RestResponse:
    """Store each event of a list, or of lines, and respond after the commit.

    An object, which is not a list, is a task of this name, to be created.
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
    await request.services.wait_for_room(request.principal, request.client_address, len(given))
    events = await _decode(request, given)
    correct_times(events, request.clock_offset)
    outcomes = await request.services.record_events(
        request.principal, request.client_address, events
    )
    stored = not given or any(isinstance(outcome, Outcome) for outcome in outcomes)
    status = 201 if stored else 400
    if request.has_lines:
        return RestResponse(_encode_lines(outcomes), status, lines=True)
    return RestResponse([serialize_outcome(outcome, {}) for outcome in outcomes], status)


def _encode_lines(outcomes: Sequence[Outcome | UserError]) -> bytes:
    # Nearly all of a thousand lines are equal.
    known: dict[tuple[bool, bool], bytes] = {}
    lines = []
    for outcome in outcomes:
        if isinstance(outcome, UserError):
            lines.append(_encode_line(outcome))
            continue
        key = outcome.enough, outcome.duplicate
        if key not in known:
            known[key] = _encode_line(outcome)
        lines.append(known[key])
    return b"".join(lines)


def _encode_line(outcome: Outcome | UserError) -> bytes:
    return orjson.dumps(serialize_outcome(outcome, {}), option=orjson.OPT_APPEND_NEWLINE)


async def _decode(request: RestRequest, given: Sequence[Any]) -> Sequence[NewEvent | UserError]:
    settings, now = request.services.settings, request.now
    decoded = decode_events(settings, given, now, request.client_address)
    if decoded is not None:
        return decoded
    checked: list[NewEvent | UserError] = []
    for event, received_at in zip(given, arrival_times(now, len(given)), strict=True):
        if len(checked) % PART == PART - 1:
            await request.take_turn(goes_on=True)
        checked.append(_check(request, event, received_at))
    return checked


def _check(request: RestRequest, event: Any, received_at: datetime) -> NewEvent | UserError:
    try:
        return parse_submitted_event(
            event,
            request.services.settings,
            received_at=received_at,
            client_address=request.client_address,
        )
    except UserError as error:
        # A traceback holds the frames: of a thousand errors, the cycle collector would notice.
        return error.with_traceback(None)

"""Sends events and sorts them by the result: stored, refused for good, or kept for later."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from lamia_gql.client.event import Event, encode_json
from lamia_gql.client.event_details import DETAIL_FIELDS
from lamia_gql.client.request_limits import RequestLimits
from lamia_gql.client.server_connection import (
    EventResult,
    RequestRejectedError,
    ServerConnection,
    ServerUnavailableError,
)

TEMPORARY_CODES = {
    "BUSY",
    "STORAGE_FAILED",
    "OUTCOME_UNKNOWN",
    "FORBIDDEN",
    "UNAUTHENTICATED",
    "UNAUTHORIZED",
}
"""Codes of errors that are not caused by the event, and may pass."""
NOT_CREATED_CODES = {"TASK_NOT_FOUND", "PROCESS_NOT_FOUND"}
"""Codes of errors that pass if the job was faster than the creation of its task."""
TASK_WAIT_S = 24 * 3600.0
"""How long after its ``sentAt`` an event waits for its task to be created."""
PAYLOAD_CODES = {"PAYLOAD_TOO_LARGE", "JSON_INVALID"}
"""Codes of errors that complain about the payload: the event is sent again with less of it."""
OPTIONAL_FIELDS = ("index", "progress", "attempt", "sentAt", "hostname", *DETAIL_FIELDS)
"""If one of them is refused, the event is sent again without it."""


class RefusedEvent(NamedTuple):
    """An event that the server will never accept."""

    event: Event
    reason: str


class EventWarning(NamedTuple):
    """A warning for the sender of an event."""

    process: tuple[object, object]
    """The task and the process of the event."""
    kind: str
    """Warnings of one kind are printed once."""
    text: str


class DeliveryResult:
    """The events of a delivery, sorted by what happened to them."""

    def __init__(self) -> None:
        self.stored: list[Event] = []
        self.refused: list[RefusedEvent] = []
        self.kept: list[Event] = []
        """The events to send again later."""
        self.enough: set[object] = set()
        """Pairs of task and process that have reached their thresholds."""
        self.warnings: list[EventWarning] = []
        self.failure: str | None = None
        """Why sending stopped; None if the server has answered for every event."""
        self.retry_after_s = 0.0
        """How long the server wants to be left alone after the failure."""
        self.may_be_event = False
        """Whether the failure may be caused by the event that was sent, if that was a single one"""

    def add(self, other: DeliveryResult) -> None:
        """Add the events and warnings of another result to this one."""
        self.stored += other.stored
        self.refused += other.refused
        self.kept += other.kept
        self.enough |= other.enough
        self.warnings += other.warnings
        self.may_be_event = self.may_be_event or other.may_be_event
        self.failure = self.failure or other.failure
        self.retry_after_s = max(self.retry_after_s, other.retry_after_s)


def deliver(
    connection: ServerConnection,
    events: Sequence[Event],
    limits: RequestLimits | None = None,
    held_jobs: set[str] | None = None,
) -> DeliveryResult:
    """Send events in their order. Never raises.

    What is refused is sent again in parts, down to single events, and these with less and less in
    them; only the bare event is refused for good. Once an event is kept, so are all later ones of
    its job.

    Args:
        connection: Where to send them.
        events: The events, oldest first.
        limits: How much to send at once; learns from what is refused.
        held_jobs: Jobs of which an earlier event was kept; jobs are added to it.
    """
    delivery = _Delivery(connection, limits or RequestLimits(), held_jobs)
    delivery.send(events)
    return delivery.result


class _Delivery:
    """One call of :func:`deliver`."""

    def __init__(
        self, connection: ServerConnection, limits: RequestLimits, held_jobs: set[str] | None
    ) -> None:
        self.result = DeliveryResult()
        self._connection = connection
        self._limits = limits
        self._held_jobs: set[str] = set() if held_jobs is None else held_jobs

    def send(self, events: Sequence[Event]) -> bool:
        """Send events; returns whether no request with a single one of them was refused."""
        is_fine = True
        waiting = list(events)
        while waiting:
            # The limits may have changed with the last request.
            request = next(self._limits.split(waiting))
            del waiting[: len(request)]
            is_fine = self._send_request(request) and is_fine
        return is_fine

    def _send_request(self, request: list[Event]) -> bool:
        if self.result.failure is None:
            self.result.kept += [event for event in request if event.job in self._held_jobs]
            request = [event for event in request if event.job not in self._held_jobs]
        else:
            self.result.kept += request
            return True
        if not request:
            return True
        try:
            results = self._submit(request)
        except RequestRejectedError as error:
            return self._split(request, error)
        except ServerUnavailableError as error:
            self._fail(request, str(error), may_be_event=error.may_be_event)
            self.result.retry_after_s = self._connection.retry_after_s
        except Exception as error:  # an event that can't be encoded, or an error of ours
            return self._set_aside(request, error)
        else:
            self._handle_results(request, results)
        return True

    def _submit(self, request: list[Event]) -> list[EventResult]:
        """Send events; without their details to a server that is too old to know these."""
        # The server corrects times from this host's clock, and from no other.
        is_ours = {event.clock_host for event in request} == {os.uname().nodename}
        full = [event.fields for event in request]
        if self._limits.takes_details:
            try:
                return self._connection.submit(full, with_clock=is_ours)
            except RequestRejectedError as error:
                if not (error.is_unknown and any(map(_has_details, request))):
                    raise
        bare = [event.without(*DETAIL_FIELDS).fields for event in request]
        results = self._connection.submit(bare, with_clock=is_ours)
        self._limits.takes_details = False
        return results

    def _handle_results(self, request: list[Event], results: list[EventResult]) -> None:
        again = [
            shortened
            for event, result in zip(request, results)
            for shortened in self._handle_result(event, result)
        ]
        self.send(again)

    def _split(self, request: list[Event], error: RequestRejectedError) -> bool:
        """Send the events of a refused request in other ways; returns whether halving helped."""
        if len(request) == 1:
            self._reduce(request[0], error)
            return False
        if error.is_too_large:
            self._limits.note_too_large(request)
        middle = len(request) // 2
        first = self.send(request[:middle])
        second = self.send(request[middle:])
        if first and second and self.result.failure is None:
            # No event is to blame, so it was their number.
            self._limits.note_events(len(request) - middle)
        return first and second

    def _reduce(self, event: Event, error: RequestRejectedError) -> None:
        """Send a refused event with less in it, or refuse it if there is nothing left to omit."""
        smaller = event.shortened() or event.bare()
        if smaller is not None:
            text = f"{error} The event is sent with less in it."
            self.result.warnings.append(EventWarning(event.process, "reduced", text))
            self.send([smaller])
        elif error.is_from_server or can_submit_nothing(self._connection):
            self._refuse(event, str(error))
        else:
            self._fail([event], str(error), may_be_event=False)

    def _set_aside(self, request: list[Event], error: Exception) -> bool:
        """Handle an unexpected exception: refuse the events that can't be encoded."""
        good = []
        for event in request:
            try:
                encode_json(event.fields)
                good.append(event)
            except Exception as reason:
                self._refuse(event, f"It can't be sent: {reason!r}.")
        if len(good) < len(request):
            return self.send(good)
        self._fail(request, f"Sending has failed: {error!r}.", may_be_event=True)
        return True

    def _fail(self, events: list[Event], reason: str, *, may_be_event: bool) -> None:
        self.result.failure = reason
        self.result.may_be_event = may_be_event
        self.result.kept += events

    def _handle_result(self, event: Event, result: EventResult) -> list[Event]:
        """Sort an event by its result; returns a copy with less in it if that is to be sent now."""
        code, message = result.code, result.message
        if code is None:
            self.result.stored.append(event)
            if result.enough:
                self.result.enough.add(event.process)
            return []
        if code in PAYLOAD_CODES:
            shortened = event.shortened()
            if shortened is not None:
                text = f"{message} Sent with a part of the payload."
                self.result.warnings.append(EventWarning(event.process, code, text))
                return [shortened]
        field = result.field
        if field in OPTIONAL_FIELDS and _can_omit(event, field, code):
            if field != "index":
                text = f"{message} Sent without {field}."
                self.result.warnings.append(EventWarning(event.process, code, text))
            return [event.without(field)]
        if code in TEMPORARY_CODES or (code in NOT_CREATED_CODES and _age_s(event) < TASK_WAIT_S):
            text = f"{message} Kept for later."
            self.result.warnings.append(EventWarning(event.process, code, text))
            self.result.kept.append(event)
            self._held_jobs.add(event.job)
        else:
            self._refuse(event, f"{code}: {message}")
        return []

    def _refuse(self, event: Event, reason: str) -> None:
        text = f"The server refused an event, which is not sent again: {reason}"
        self.result.warnings.append(EventWarning(event.process, "refused", text))
        self.result.refused.append(RefusedEvent(event, reason))


def can_submit_nothing(connection: ServerConnection) -> bool:
    """Whether the server accepts a request without events.

    If not even that gets through, a failure is not caused by the events, but for example by a
    wrong address.
    """
    try:
        connection.submit([])
    except RequestRejectedError as error:
        return error.is_from_server
    except Exception:
        return False
    return True


def _has_details(event: Event) -> bool:
    return any(field in event.fields for field in DETAIL_FIELDS)


def _can_omit(event: Event, field: str, code: str) -> bool:
    if field == "index":
        # An index that is out of range is wrong, not superfluous.
        return event.index_found and code == "INDEX_FORBIDDEN" and field in event.fields
    return field in event.fields


def _age_s(event: Event) -> float:
    try:
        # Before Python 3.11, fromisoformat() knows neither Z nor +0100, and few kinds of fractions.
        text = re.sub(r"[.,][0-9]+", "", event.fields["sentAt"])
        text = re.sub(r"([+-][0-9]{2})([0-9]{2})$", r"\1:\2", re.sub("[Zz]$", "+00:00", text))
        sent_at = datetime.fromisoformat(text)
        return time.time() - sent_at.replace(tzinfo=sent_at.tzinfo or timezone.utc).timestamp()
    except (KeyError, TypeError, ValueError):
        return TASK_WAIT_S

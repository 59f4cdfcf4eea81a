"""Sends events and sorts them by the result: stored, refused for good, or kept for later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from lamia_gql.client.event import Event
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
OPTIONAL_FIELDS = {
    "INDEX_FORBIDDEN": "index",
    "PAYLOAD_TOO_LARGE": "payload",
    "JSON_INVALID": "payload",
    "PROGRESS_INVALID": "progress",
    "ATTEMPT_INVALID": "attempt",
    "TIME_INVALID": "sentAt",
    "TEXT_INVALID": "hostname",
}
"""The optional field that an error code complains about: the event is sent again without it."""


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

    def add(self, other: DeliveryResult) -> None:
        """Add the events and warnings of another result to this one."""
        self.stored += other.stored
        self.refused += other.refused
        self.kept += other.kept
        self.enough |= other.enough
        self.warnings += other.warnings
        self.failure = self.failure or other.failure


def deliver(connection: ServerConnection, events: Sequence[Event]) -> DeliveryResult:
    """Send events in one request, or in several if the server rejects the first. Never raises."""
    delivery = DeliveryResult()
    waiting = [list(events)] if events else []
    while waiting:
        batch = waiting.pop(0)
        if delivery.failure is not None:
            delivery.kept += batch
            continue
        try:
            results = connection.submit([event.fields for event in batch])
        except ServerUnavailableError as error:
            delivery.failure = str(error)
            delivery.kept += batch
        except RequestRejectedError as error:
            if len(batch) == 1:
                _add_refused(delivery, batch[0], str(error))
            else:
                middle = len(batch) // 2
                waiting[:0] = [batch[:middle], batch[middle:]]
        else:
            again = [
                shortened
                for event, result in zip(batch, results)
                for shortened in _add_result(delivery, event, result)
            ]
            if again:
                waiting.append(again)
    return delivery


def _add_result(delivery: DeliveryResult, event: Event, result: EventResult) -> list[Event]:
    """Sort an event by its result; returns a shortened copy if that is to be sent now."""
    code, message = result.code, result.message
    if code is None:
        delivery.stored.append(event)
        if result.enough:
            delivery.enough.add(event.process)
        return []
    field = OPTIONAL_FIELDS.get(code)
    if field is not None and _can_omit(event, field):
        if field != "index":
            delivery.warnings.append(
                EventWarning(event.process, code, f"{message} Sent without {field}.")
            )
        return [event.without(field)]
    if code in TEMPORARY_CODES or (code in NOT_CREATED_CODES and _age_s(event) < TASK_WAIT_S):
        delivery.warnings.append(EventWarning(event.process, code, f"{message} Kept for later."))
        delivery.kept.append(event)
    else:
        _add_refused(delivery, event, f"{code}: {message}")
    return []


def _add_refused(delivery: DeliveryResult, event: Event, reason: str) -> None:
    text = f"The server refused an event, which is not sent again: {reason}"
    delivery.warnings.append(EventWarning(event.process, "refused", text))
    delivery.refused.append(RefusedEvent(event, reason))


def _can_omit(event: Event, field: str) -> bool:
    return field in event.fields and (field != "index" or event.index_found)


def _age_s(event: Event) -> float:
    try:
        sent_at = datetime.fromisoformat(event.fields["sentAt"])
        return time.time() - sent_at.replace(tzinfo=sent_at.tzinfo or timezone.utc).timestamp()
    except (KeyError, TypeError, ValueError):
        return TASK_WAIT_S

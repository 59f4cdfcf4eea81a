"""What becomes of events that are sent: stored, refused for good, or kept for later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from lamia_gql.client.connection import Answer, AwayError, Connection, FaultError
from lamia_gql.client.event import Event

PASSING = {"BUSY", "STORAGE_FAILED", "FORBIDDEN", "UNAUTHENTICATED", "UNAUTHORIZED"}
"""Codes of refusals that say nothing against the event."""
EARLY = {"TASK_NOT_FOUND", "PROCESS_NOT_FOUND"}
"""Codes of refusals that pass where a job was quicker than whoever makes its task."""
PATIENCE = 24 * 3600.0
"""Seconds after its time for which an event waits for its task to be made."""
CULPRITS = {
    "INDEX_FORBIDDEN": "index",
    "PAYLOAD_TOO_LARGE": "payload",
    "JSON_INVALID": "payload",
    "PROGRESS_INVALID": "progress",
    "ATTEMPT_INVALID": "attempt",
    "TIME_INVALID": "sentAt",
    "TEXT_INVALID": "hostname",
}
"""Refusals of one optional part of an event: it is sent again without it."""


class Refusal(NamedTuple):
    """An event that the server will never take."""

    event: Event
    reason: str


class Remark(NamedTuple):
    """Something about an event that its sender should know."""

    process: tuple[object, object]
    kind: str
    text: str


class Delivery:
    """The result of a delivery."""

    def __init__(self) -> None:
        self.stored: list[Event] = []
        self.refused: list[Refusal] = []
        self.kept: list[Event] = []
        self.enough: set[object] = set()
        """The processes, each a pair with its task, of which the server says so."""
        self.remarks: list[Remark] = []
        self.trouble: str | None = None
        """Why nothing more could be sent; None where the server has answered for every event."""

    def add(self, other: Delivery) -> None:
        """Take another delivery's results in."""
        self.stored += other.stored
        self.refused += other.refused
        self.kept += other.kept
        self.enough |= other.enough
        self.remarks += other.remarks
        self.trouble = self.trouble or other.trouble


def deliver(connection: Connection, events: Sequence[Event]) -> Delivery:
    """Send events in one request, or in more where one of them spoils it. Never raises."""
    delivery = Delivery()
    waiting = [list(events)] if events else []
    while waiting:
        batch = waiting.pop(0)
        if delivery.trouble is not None:
            delivery.kept += batch
            continue
        try:
            answers = connection.submit([event.fields for event in batch])
        except AwayError as error:
            delivery.trouble = str(error)
            delivery.kept += batch
        except FaultError as fault:
            if len(batch) == 1:
                _refuse(delivery, batch[0], str(fault))
            else:
                middle = len(batch) // 2
                waiting[:0] = [batch[:middle], batch[middle:]]
        else:
            again = [
                mended
                for event, answer in zip(batch, answers)
                for mended in _sort(delivery, event, answer)
            ]
            if again:
                waiting.append(again)
    return delivery


def _sort(delivery: Delivery, event: Event, answer: Answer) -> list[Event]:
    """Put an event where it belongs; what is to be sent again is returned."""
    code, message = answer.code, answer.message
    if code is None:
        delivery.stored.append(event)
        if answer.enough:
            delivery.enough.add(event.process)
        return []
    culprit = CULPRITS.get(code)
    if culprit is not None and _can_leave_out(event, culprit):
        if culprit != "index":
            delivery.remarks.append(
                Remark(event.process, code, f"{message} Sent without its {culprit}.")
            )
        return [event.without(culprit)]
    if code in PASSING or (code in EARLY and _age(event) < PATIENCE):
        delivery.remarks.append(Remark(event.process, code, f"{message} Kept for later."))
        delivery.kept.append(event)
    else:
        _refuse(delivery, event, f"{code}: {message}")
    return []


def _refuse(delivery: Delivery, event: Event, reason: str) -> None:
    text = f"An event is refused for good, and put aside: {reason}"
    delivery.remarks.append(Remark(event.process, "refused", text))
    delivery.refused.append(Refusal(event, reason))


def _can_leave_out(event: Event, field: str) -> bool:
    return field in event.fields and (field != "index" or event.index_found)


def _age(event: Event) -> float:
    try:
        sent_at = datetime.fromisoformat(event.fields["sentAt"])
        return time.time() - sent_at.replace(tzinfo=sent_at.tzinfo or timezone.utc).timestamp()
    except (KeyError, TypeError, ValueError):
        return PATIENCE

"""How far the clock of a client is from that of the server.

Jobs are ordered by the times of their events. On a node whose clock is wrong, a rerun could seem to
be earlier than what it follows. So a client may send its time with a request, in a header; then the
times of the events in it are corrected. It does so only for events of its own host.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from lamia_gql.domain.errors import UserError
from lamia_gql.domain.job_details import CLOCK_OFFSET
from lamia_gql.ingest.event_input import NewEvent

HEADER = "lamia-clock"
"""The header: seconds since 1970 by the client's clock, when it sent the request."""
MIN_OFFSET = timedelta(seconds=20)
"""A smaller difference may be the time that the request took, for which ``lamia-job`` waits up to
15 seconds. A request that was merely slow must not put its events behind those of later ones."""
MAX_SECONDS = 253_402_300_000.0
"""Nearly the year 10000, with which the calendar ends."""


def clock_offset(header: str | None, received_at: datetime) -> timedelta | None:
    """What to add to the client's times; None without a header, or where there is little to add.

    Args:
        header: the value of the header.
        received_at: when the request was received.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return None
    if not (math.isfinite(seconds) and 0 <= seconds <= MAX_SECONDS):
        return None
    offset = received_at - datetime.fromtimestamp(seconds, UTC)
    return offset if abs(offset) >= MIN_OFFSET else None


def correct_times(events: Iterable[NewEvent | UserError], offset: timedelta | None) -> None:
    """Add the offset to the times of events, which keep it as one of their details."""
    if offset is None:
        return
    for event in events:
        if isinstance(event, NewEvent) and event.sent_at is not None:
            try:
                event.sent_at += offset
            except OverflowError:
                continue
            event.details = {**(event.details or {}), CLOCK_OFFSET: offset.total_seconds()}

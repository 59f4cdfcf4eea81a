"""The event classes, and which of them are dropped first when space is short."""

from __future__ import annotations

END_CLASSES = ("DONE", "FAILED", "TERMINATED")
PRIORITIES = {
    "BEAT": 0,
    "PROGRESS": 1,
    "SUBMITTED": 2,
    "STARTED": 2,
    "READY": 2,
    "HELD": 2,
    **dict.fromkeys(END_CLASSES, 3),
}
"""The priority of each event class: events of the lowest priority are dropped first."""

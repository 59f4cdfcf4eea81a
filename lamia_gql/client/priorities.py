"""The classes of events, and what an event of each is worth."""

from __future__ import annotations

ENDS = ("DONE", "FAILED", "TERMINATED")
RANKS = {
    "BEAT": 0,
    "PROGRESS": 1,
    "SUBMITTED": 2,
    "STARTED": 2,
    "READY": 2,
    **dict.fromkeys(ENDS, 3),
}
"""What an event is worth where there is no room for all: those of the lowest rank go first."""

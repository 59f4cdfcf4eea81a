"""The ids of events whose clients have not chosen one."""

from __future__ import annotations

import os
import time


def new_event_id() -> str:
    """A UUID of version 7, in lower case.

    It begins with the time, so the ids of new events are next to each other in the index. With
    random ids, each event would change another page of it.
    """
    number = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76 | 3 << 62) | 7 << 76 | 2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

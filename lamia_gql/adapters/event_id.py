"""Ids of events that are read from records: the same record always gives the same id."""

from __future__ import annotations

import hashlib
import json
import uuid


def event_id(time_s: float, *parts: str | int) -> str:
    """A UUID of version 8: the time in milliseconds, then a digest.

    It begins with the time, so that the server stores the ids of one time in one place.

    Args:
        time_s: the time of the record, in seconds since 1970.
        parts: what identifies the record among all others: the source, and the place in it.
    """
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:10]
    number = int(time_s * 1000) % (1 << 48) << 80 | int.from_bytes(digest, "big")
    number = number & ~(0xF << 76 | 3 << 62) | 8 << 76 | 2 << 62
    return str(uuid.UUID(int=number))

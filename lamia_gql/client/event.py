"""An event of a job, in the form in which it is sent and stored on disk."""

from __future__ import annotations

import binascii
import json
import os
import time
from typing import Any, NamedTuple

from lamia_gql.client.priorities import END_CLASSES, PRIORITIES

REQUIRED_FIELDS = ("id", "task", "process", "index", "eventClass")
"""The fields that say which job an event belongs to, and what has happened."""
TRUNCATED_HEAD_BYTES = 16 * 1024
"""How much of a payload that is too large is kept: JSON may need twice as much to quote it, and
servers accept 64 KiB by default."""
MAX_PARSED_DIGITS = 4000
"""Python refuses to parse integers with more digits than about this."""


class Event(NamedTuple):
    """An event; ``fields`` are those of the server's ``SubmitEventInput``."""

    fields: dict[str, Any]
    index_found: bool
    """Whether the index comes from the batch system, so that a solitary job may omit it."""
    order: int = 0
    """Its place among the events that were written to the spool together."""
    clock_host: str | None = None
    """The host whose clock its time is from, as the host calls itself; None if it is not known."""

    @property
    def id(self) -> str:
        """The UUID by which the server detects duplicates."""
        return str(self.fields["id"])

    @property
    def priority(self) -> int:
        """Which events are dropped first when space is short: see ``PRIORITIES``."""
        return PRIORITIES[self.fields["eventClass"]]

    @property
    def is_end(self) -> bool:
        """Whether it is DONE, FAILED or TERMINATED."""
        return self.fields["eventClass"] in END_CLASSES

    @property
    def process(self) -> tuple[Any, Any]:
        """The names of its task and process."""
        return self.fields["task"], self.fields["process"]

    @property
    def job(self) -> str:
        """A short checksum of the job's task, process and index."""
        name = json.dumps([*self.process, self.fields.get("index")])
        return f"{binascii.crc32(name.encode()):08x}"

    def without(self, *names: str) -> Event:
        """Return a copy without some of its optional fields."""
        fields = {name: value for name, value in self.fields.items() if name not in names}
        return self._replace(fields=fields)

    def shortened(self) -> Event | None:
        """Return a copy with less payload, or None if it has none left.

        The payload is replaced by ``{"truncated": true, "bytes": …, "head": …}``: the number of
        bytes that its JSON had, and how this began. Then the head is dropped, then the rest.
        """
        payload = self.fields.get("payload")
        if payload is None:
            return None
        if not _is_truncated(payload):
            encoded = encode_json(payload)
            head = encoded[:TRUNCATED_HEAD_BYTES].decode("utf-8", "ignore")
            return self._with_payload({"truncated": True, "bytes": len(encoded), "head": head})
        if payload["head"]:
            return self._with_payload({**payload, "head": ""})
        return self.without("payload")

    def bare(self) -> Event | None:
        """Return a copy with the required fields only, or None if there are no others."""
        fields = {name: self.fields[name] for name in REQUIRED_FIELDS if name in self.fields}
        return self._replace(fields=fields) if fields != self.fields else None

    def _with_payload(self, payload: Any) -> Event:
        return self._replace(fields={**self.fields, "payload": payload})

    def encode(self) -> bytes:
        """Return the event as one line of JSON. Raises ValueError or TypeError if it has none."""
        record = {
            "indexFound": self.index_found,
            "order": self.order,
            "clockHost": self.clock_host,
            "event": self.fields,
        }
        return encode_json(record) + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Event:
        """Return the event of a line of JSON. Raises ValueError if it is not one."""
        try:
            found = json.loads(line, parse_int=_parse_int, parse_constant=str)
            event = cls(
                dict(found["event"]),
                bool(found["indexFound"]),
                int(found.get("order", 0)),
                found.get("clockHost"),
            )
            names = [event.fields[name] for name in ("id", "task", "process", "eventClass")]
            if not all(isinstance(name, str) for name in names):
                raise ValueError("its id and names are not all texts")
            if event.fields["eventClass"] not in PRIORITIES:
                raise ValueError("its event class is unknown")
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not an event: {error!r}") from error
        return event


def _is_truncated(payload: Any) -> bool:
    """Whether a payload has been replaced by :meth:`Event.shortened`."""
    return (
        isinstance(payload, dict)
        and payload.keys() == {"truncated", "bytes", "head"}
        and payload["truncated"] is True
    )


def _parse_int(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_PARSED_DIGITS else digits


def new_id() -> str:
    """Return a UUID of version 7: the time in milliseconds, then random digits.

    The server finds and stores the ids of one time in one place. The module ``uuid`` is slow to
    import, and does not know this version before Python 3.14.
    """
    number = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76 | 3 << 62) | 7 << 76 | 2 << 62
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def encode_json(value: Any) -> bytes:
    """Return compact JSON; unpaired surrogates, which are not valid UTF-8, become ``?``.

    Raises ValueError, TypeError or RecursionError if there is none.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def to_json_value(value: Any) -> Any:
    """Return a copy of a payload that JSON can represent; other values become text.

    Never raises.
    """
    try:
        return json.loads(json.dumps(value, default=str, allow_nan=False))
    except Exception:  # a user's objects may raise anything
        try:
            return repr(value)[:4096]
        except Exception:
            return None

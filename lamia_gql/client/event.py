"""An event of a job, as it is sent and as it waits on disk."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from lamia_gql.client.priorities import ENDS, RANKS


class Event(NamedTuple):
    """An event; ``fields`` are those of the server's ``SubmitEventInput``."""

    fields: dict[str, Any]
    index_found: bool
    """Whether the index came from the batch system, so that a solitary job may leave it out."""

    @property
    def id(self) -> str:
        """Its UUID, by which the server knows it again."""
        return str(self.fields["id"])

    @property
    def rank(self) -> int:
        """What it is worth: see ``ranks``."""
        return RANKS[self.fields["eventClass"]]

    @property
    def is_end(self) -> bool:
        """Whether the job has ended with it."""
        return self.fields["eventClass"] in ENDS

    @property
    def process(self) -> tuple[Any, Any]:
        """The task and the process that it belongs to."""
        return self.fields["task"], self.fields["process"]

    def without(self, field: str) -> Event:
        """The same event, but for one of its optional fields."""
        fields = {name: value for name, value in self.fields.items() if name != field}
        return Event(fields, self.index_found)

    def encode(self) -> bytes:
        """The event as one line of JSON."""
        return to_json({"indexFound": self.index_found, "event": self.fields}) + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Event:
        """The event of a line. Raises ValueError for what is none."""
        try:
            found = json.loads(line)
            event = cls(dict(found["event"]), bool(found["indexFound"]))
            if not (isinstance(event.fields["id"], str) and event.rank >= 0 and event.process):
                raise ValueError("it has no id")
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not an event: {error!r}") from error
        return event


def new_id() -> str:
    """A random UUID, of version 4; the module ``uuid`` takes long to import."""
    number = int.from_bytes(os.urandom(16), "big")
    number = number & ~(0xF << 76 | 3 << 62) | 4 << 76 | 2 << 62
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def to_json(value: Any) -> bytes:
    """Compact JSON; halves of characters, which no server could read, become question marks."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def plain(value: Any) -> Any:
    """A copy of a payload that can be sent; what JSON has no form for becomes text.

    Never raises.
    """
    try:
        return json.loads(json.dumps(value, default=str, allow_nan=False))
    except Exception:  # whatever a user's objects may do
        try:
            return repr(value)[:4096]
        except Exception:
            return None

"""An event of a job, in the form in which it is sent and stored on disk."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from lamia_gql.client.priorities import END_CLASSES, PRIORITIES


class Event(NamedTuple):
    """An event; ``fields`` are those of the server's ``SubmitEventInput``."""

    fields: dict[str, Any]
    index_found: bool
    """Whether the index comes from the batch system, so that a solitary job may omit it."""

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

    def without(self, field: str) -> Event:
        """Return a copy without one of its optional fields."""
        fields = {name: value for name, value in self.fields.items() if name != field}
        return Event(fields, self.index_found)

    def encode(self) -> bytes:
        """Return the event as one line of JSON."""
        return encode_json({"indexFound": self.index_found, "event": self.fields}) + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Event:
        """Return the event of a line of JSON. Raises ValueError if it is not one."""
        try:
            found = json.loads(line)
            event = cls(dict(found["event"]), bool(found["indexFound"]))
            if not (isinstance(event.fields["id"], str) and event.priority >= 0 and event.process):
                raise ValueError("it has no id")
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not an event: {error!r}") from error
        return event


def new_id() -> str:
    """Return a random UUID of version 4; the module ``uuid`` is slow to import."""
    number = int.from_bytes(os.urandom(16), "big")
    number = number & ~(0xF << 76 | 3 << 62) | 4 << 76 | 2 << 62
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def encode_json(value: Any) -> bytes:
    """Return compact JSON; unpaired surrogates, which are not valid UTF-8, become ``?``."""
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

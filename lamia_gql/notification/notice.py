"""What a notification says: as text for people, as a CloudEvent for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from lamia_gql.domain.notifications import Occasion
from lamia_gql.ingest.outbox_claims import NotificationRow

EVENT_TYPE = "io.github.lamia-gql.task."
"""What the type of a CloudEvent begins with; the occasion follows, in lower case."""
SOURCE = "/lamia-gql"
"""The source of CloudEvents where no ``public_url`` is set."""
HAPPENED = {
    Occasion.SUCCEEDED: "has succeeded",
    Occasion.FAILED: "has failed",
    Occasion.CANNOT_SUCCEED: "cannot succeed",
    Occasion.SILENT: "is silent",
}
COUNTED = ("done", "failed", "terminated", "running", "held", "submitted", "pending")


class Notice:
    """A notification, made ready to be sent.

    Args:
        row: the notification.
        public_url: the address by which people reach the server, if it is known.
    """

    def __init__(self, row: NotificationRow, public_url: str | None) -> None:
        self.id = row.id
        self.receiver = row.receiver
        self.created_at = row.created_at
        self._occasion = Occasion(row.occasion)
        self._task = row.task
        self._facts: dict[str, Any] = orjson.loads(row.facts)
        self._source = public_url or SOURCE
        self._link = public_url and f"{public_url}/#/tasks/{quote(row.task, safe='')}"

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look into it."""
        return self._occasion is not Occasion.SUCCEEDED

    def title(self) -> str:
        """One line without a line break."""
        return f"Task “{self._task}” {HAPPENED[self._occasion]}"

    def text(self) -> str:
        """A short text, in lines of plain text."""
        facts, counts = self._facts, self._facts["counts"]
        numbers = ", ".join(f"{counts[name]} {name}" for name in COUNTED if counts[name])
        lines = [
            f"{self.title()}.",
            "",
            *_line("State", facts["state"]),
            *_line("User", facts["username"]),
            *_line("Started", _shown(facts["startedAt"])),
            *_line("Finished", _shown(facts["finishedAt"])),
            *_line("Last event", _shown(facts["lastEventAt"])),
            *_line("Jobs", f"{counts['total']}: {numbers}"),
        ]
        if facts["failing"]:
            lines += ["", "Failed or terminated:"]
            lines += [f"  {_failures(**failing)}" for failing in facts["failing"]]
        if self._link:
            lines += ["", self._link]
        return "\n".join([*lines, ""])

    def cloud_event(self) -> str:
        """A CloudEvent 1.0, in the JSON format."""
        event = {
            "specversion": "1.0",
            "id": self.id,
            "source": self._source,
            "type": f"{EVENT_TYPE}{self._occasion.lower()}",
            "subject": self._task,
            "time": self.created_at,
            "datacontenttype": "application/json",
            "data": {
                "task": self._task,
                "occasion": self._occasion,
                "url": self._link,
                **self._facts,
            },
        }
        return orjson.dumps(event).decode()


def _line(name: str, value: str | None) -> list[str]:
    # In one line, whatever a user calls himself.
    return [] if value is None else [f"{name + ':':<12}{' '.join(value.split())}"]


def _shown(time: str | None) -> str | None:
    return time and f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M:%S} UTC"


def _failures(process: str, jobs: int, indices: Sequence[int] | None) -> str:
    if indices is None:
        return process
    more = f" and {jobs - len(indices)} more" if jobs > len(indices) else ""
    return f"{process}: {', '.join(map(str, indices))}{more}"

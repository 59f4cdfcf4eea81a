"""The log of GNU parallel (``--joblog``) as the source of a follower.

It has a line for each job that has ended, with tabs between: number, host, start, seconds, bytes
sent and received, exit code, signal, command. A command may go over several lines.
"""

from __future__ import annotations

import functools
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lamia_gql.adapters.batch_event import batch_event
from lamia_gql.adapters.event_id import event_id
from lamia_gql.adapters.file_mark import mark
from lamia_gql.adapters.signal_name import signal_name
from lamia_gql.adapters.source import PORTION_EVENTS, Portion, SourceError
from lamia_gql.client.event import Event

LINE = re.compile(
    rb"(?P<number>\d+)\t(?P<host>[^\t]+)\t *(?P<start>\d+\.\d+)\t *(?P<seconds>\d+\.\d+)\t"
    rb"\d+\t\d+\t(?P<code>-?\d+)\t(?P<signal>\d+)\t"
)
KILLED_CODE = -1
"""The exit code of a job that GNU parallel has killed, because of --timeout or --halt."""


class ParallelLog:
    """A log of GNU parallel; it may not exist yet.

    Args:
        path: the log.
        task: name of the task.
        process: name of the array.
        first_index: the index of the job that GNU parallel counts as 1.
    """

    interval_s = 1.0

    def __init__(self, path: Path, task: str, process: str, first_index: int) -> None:
        self._path = path
        self._task = task
        self._process = process
        self._first_index = first_index

    @property
    def key(self) -> str:
        """The log, and which jobs it is about."""
        names = [str(self._path.absolute()), self._task, self._process, self._first_index]
        return f"joblog {json.dumps(names)}"

    def read(self, place: Any) -> Portion:
        """Return the next events. Raises :class:`SourceError` if the log can't be read."""
        events: list[Event] = []
        try:
            with self._path.open("rb") as file:
                offset = 0
                if place is not None and mark(file, place["offset"]) == place["mark"]:
                    offset = place["offset"]
                file.seek(offset)
                is_last = True
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    offset += len(line)
                    events += self._make_events(line)
                    if len(events) >= PORTION_EVENTS:
                        is_last = False
                        break
                return Portion(events, {"offset": offset, "mark": mark(file, offset)}, is_last)
        except OSError as error:
            raise SourceError(f"{self._path} can't be read: {error.strerror}.") from error

    def close(self) -> None:
        """Nothing is open."""

    def _make_events(self, line: bytes) -> Iterator[Event]:
        found = LINE.match(line)
        if found is None:
            return
        code, number = int(found["code"]), int(found["signal"])
        start_s, seconds = float(found["start"]), float(found["seconds"])
        index = int(found["number"]) - 1 + self._first_index
        make = functools.partial(
            batch_event,
            task=self._task,
            process=self._process,
            index=index,
            hostname=_host(found["host"].decode("utf-8", "replace")),
        )
        place = ("joblog", self._task, self._process, index, found["start"].decode())
        yield make(event_id(start_s, *place, "start"), "STARTED", start_s)
        if code == KILLED_CODE:
            event_class, message = "TERMINATED", "Killed by GNU parallel (--timeout or --halt)."
        else:
            event_class, message = ("FAILED" if code or number else "DONE"), None
        yield make(
            event_id(start_s, *place, "end"),
            event_class,
            start_s + max(seconds, 0.001),
            exit_code=code if code >= 0 and not number else None,
            signal=signal_name(number) if number else None,
            message=message,
            usage={"wallSeconds": seconds},
        )


def _host(text: str) -> str:
    """Return the host of an ``--sshlogin``: ``:`` is this one, ``4/user@node`` is node."""
    return socket.gethostname() if text == ":" else text.rpartition("/")[2].rpartition("@")[2]

"""What waits to be acknowledged, and what was."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from typing import IO

import orjson

from bench.array_page import documents
from bench.fleet.jobs import Event
from bench.fleet.servers import Servers
from bench.http_client import Client, operation

SUBMIT = documents()["SubmitEvents"]
"""What ``lamia-job`` sends."""
CHUNK = 1_000
PATIENCE_S = 60.0
"""How long servers may be away while they are asked what they have."""
RETRY_S = 1.0


def submission(events: Sequence[bytes]) -> bytes:
    """The body of a request with these events."""
    return operation(SUBMIT, input={"events": orjson.Fragment(b"[%b]" % b",".join(events))})


class Ledger:
    """The events of a fleet, from when they are due until they are acknowledged.

    Args:
        file: gets the acknowledged ones, as lines of JSON.
        clock: the time of the fleet, in seconds.
    """

    def __init__(self, file: IO[bytes], clock: Callable[[], float]) -> None:
        self._file, self._clock = file, clock
        self.waiting = 0
        """How many are not acknowledged."""
        self.delays = array("d")
        """For each acknowledged one, how long that was after it was due, in seconds."""
        self.longest_pause_s = 0.0
        """The longest time in which events waited, and none was acknowledged."""
        self.last_s = 0.0
        """When the last one was acknowledged, or waiting began after that."""

    def expect(self) -> None:
        """Note that an event waits."""
        if self.waiting == 0:
            self.last_s = self._clock()
        self.waiting += 1

    def acknowledge(self, events: Sequence[Event]) -> None:
        """Note that events are stored."""
        now = self._clock()
        self.longest_pause_s = max(self.longest_pause_s, now - self.last_s)
        self.last_s = now
        self.waiting -= len(events)
        self.delays.extend(now - event.due_s for event in events)
        self._file.write(b"".join(b"%b\n" % event.body for event in events))

    def missing(self, servers: Servers) -> int:
        """How many acknowledged events are not stored.

        All are sent again, and their ids must be known. What is missing is then stored, so this
        finds it once. Raises the last error if no server answers for a minute.
        """
        self._file.seek(0)
        number = 0
        while lines := list(islice(self._file, CHUNK)):
            number += _unknown(servers, submission(lines))
        return number


def _unknown(servers: Servers, body: bytes) -> int:
    """How many events of a request were not stored before."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with closing(Client(servers.url)) as client:
                return client.send(servers.request(body)).count(b'"duplicate":false')
        except (OSError, AssertionError):
            if time.monotonic() > deadline:
                raise
            servers.move_on()
            time.sleep(RETRY_S)

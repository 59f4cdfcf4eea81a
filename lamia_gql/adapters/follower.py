"""The loop of ``lamia-gql follow``: reads a source, sends its events, remembers the place.

How a command uses it::

    source = ParallelLog(path, "night", "fill", first_index=0)
    state = StateFile(default_path(os.environ, "joblog", source.key), source.key)
    follower = Follower(source, state, ServerConnection(server), report=print_to_stderr)
    is_fine = follower.follow(once=False)   # until follower.stop(), or to the end with once=True

A place is remembered only after the server has answered for every event before it. So whoever is
killed in between reads some records again, and the server recognises their events by their ids.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from lamia_gql.adapters.source import Source, SourceError
from lamia_gql.adapters.state_file import StateFile
from lamia_gql.client.delivery import DeliveryResult, deliver
from lamia_gql.client.event import Event
from lamia_gql.client.request_limits import RequestLimits
from lamia_gql.client.server_connection import ServerConnection

MIN_RETRY_DELAY_S = 0.5
MAX_RETRY_DELAY_S = 60.0
ONCE_TRIES = 4
"""How often ``once`` tries to reach the server in a row."""
MAX_EARLY = 10_000
"""How many events may wait for their tasks to be created; then the oldest are given up."""
MAX_REPORTED = 10
"""How many refused events are reported one by one; the others are counted."""
STOP_INTERVAL_S = 0.2
"""How often a waiting follower looks whether it is to stop."""


class Follower:
    """Follows one source.

    Args:
        source: what to read. It is closed at the end.
        state: where the place is remembered.
        connection: where to send the events. It is closed at the end.
        report: gets sentences for the user.
    """

    def __init__(
        self,
        source: Source,
        state: StateFile,
        connection: ServerConnection,
        report: Callable[[str], None],
    ) -> None:
        self._source = source
        self._state = state
        self._connection = connection
        self._report = report
        self._limits = RequestLimits()
        self._place: Any = None
        self._remembered: Any = None
        self._waiting: list[Event] = []
        """Events that were read and not sent yet, oldest first."""
        self._early: list[Event] = []
        """Events that the server does not take yet, because their task is not created."""
        self._early_tries = 0
        self._send_early_at = 0.0
        self._problem: str | None = None
        """What keeps it from going on, and was reported."""
        self._failures = 0
        """How often sending has failed in a row."""
        self._warned: set[str] = set()
        self._is_stopping = False
        self.stored = 0
        """How many events the server has; some of them it may have had before."""
        self.refused = 0
        """How many events were refused or given up."""

    def stop(self) -> None:
        """End after what is being sent. A signal handler may call it."""
        self._is_stopping = True

    def follow(self, *, once: bool) -> bool:
        """Follow until :meth:`stop`, or to the end if ``once``.

        Returns whether the server has all events that were read.
        """
        try:
            self._place = self._remembered = self._load_place()
            while not self._is_stopping:
                is_last = self._read()
                is_idle = not self._waiting
                is_sent = self._send(ONCE_TRIES if once else None)
                if once and (is_last or not is_sent):
                    break
                if is_last:
                    self._wait(self._source.interval_s)
                elif is_idle:
                    self._wait(STOP_INTERVAL_S)
        finally:
            self._source.close()
            self._connection.close()
        if self.refused > MAX_REPORTED:
            self._report(f"{self.refused} events in all were not stored.")
        return not (self.refused or self._waiting or self._early or self._problem)

    def _load_place(self) -> Any:
        try:
            return self._state.load()
        except (OSError, ValueError) as error:
            # Reading again does no harm: the server recognises what it has.
            self._report(f"{self._state.path} is not used, and all is read anew: {error}.")
            return None

    def _read(self) -> bool:
        """Read a portion; returns whether there is nothing more to read now."""
        try:
            portion = self._source.read(self._place)
        except SourceError as error:
            self._note_problem(str(error))
            return True
        if not self._failures:
            self._problem = None
        for text in portion.problems:
            self._report(text)
        self._place = portion.place
        self._waiting += portion.events
        return portion.is_last

    def _send(self, max_tries: int | None) -> bool:
        """Send what waits until the server has answered; returns whether it has."""
        self._take_early()
        while self._waiting:
            early_jobs = {event.job for event in self._early}
            result = deliver(self._connection, self._waiting, self._limits, early_jobs)
            self._note_result(result)
            if result.failure is None:
                self._waiting = []
                self._keep_early(result.kept)
                break
            self._waiting = result.kept
            self._failures += 1
            self._note_problem(result.failure)
            if self._failures == max_tries:
                return False
            if not self._wait(max(_delay(self._failures), result.retry_after_s)):
                return False
        if not self._early:
            self._remember()
        return True

    def _take_early(self) -> None:
        """Send early events again, with the next ones, if it is time."""
        if self._early and time.monotonic() >= self._send_early_at:
            self._waiting = self._early + self._waiting
            self._early = []

    def _keep_early(self, events: list[Event]) -> None:
        self._early += events
        if not self._early:
            self._early_tries = 0
        elif time.monotonic() >= self._send_early_at:
            self._early_tries += 1
            self._send_early_at = time.monotonic() + _delay(self._early_tries)
        for event in self._early[: max(0, len(self._early) - MAX_EARLY)]:
            self._give_up(event, "Too many events wait for their tasks.")
        del self._early[:-MAX_EARLY]

    def _note_result(self, result: DeliveryResult) -> None:
        if result.failure is None and self._failures:
            self._failures, self._problem = 0, None
            self._report("The server takes events again.")
        self.stored += len(result.stored)
        for refused in result.refused:
            self._give_up(*refused)
        for warning in result.warnings:
            if warning.kind != "refused" and warning.kind not in self._warned:
                self._warned.add(warning.kind)
                self._report(f"{'/'.join(map(str, warning.process))}: {warning.text}")

    def _give_up(self, event: Event, reason: str) -> None:
        self.refused += 1
        if self.refused <= MAX_REPORTED:
            fields = event.fields
            names = [fields["task"], fields["process"], fields.get("index"), fields["eventClass"]]
            name = " ".join(str(name) for name in names if name is not None)
            self._report(f"Not stored: {name} of {fields.get('sentAt')}: {reason}")

    def _note_problem(self, text: str) -> None:
        if text != self._problem:
            self._report(text)
        self._problem = text

    def _remember(self) -> None:
        if self._place == self._remembered:
            return
        try:
            self._state.save(self._place)
        except OSError as error:
            self._note_problem(f"{self._state.path} can't be written: {error}.")
        else:
            self._remembered = self._place

    def _wait(self, seconds: float) -> bool:
        """Wait; returns whether to go on then."""
        until = time.monotonic() + seconds
        while not self._is_stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, STOP_INTERVAL_S))
        return not self._is_stopping


def _delay(failures: int) -> float:
    """Return how long to wait after failures in a row, in seconds."""
    longest: float = min(MIN_RETRY_DELAY_S * 2 ** min(failures - 1, 10), MAX_RETRY_DELAY_S)
    return longest * random.uniform(0.5, 1)  # noqa: S311  # so that not all come back at once

"""Sends a job's events in the background, and keeps on disk what can't be sent."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence

from lamia_gql.client.address import Server
from lamia_gql.client.connection import Connection
from lamia_gql.client.delivery import Delivery, deliver
from lamia_gql.client.event import Event
from lamia_gql.client.flusher import BATCH, Flusher
from lamia_gql.client.spool import Spool
from lamia_gql.client.warnings import Notices

MOST_WAITING = 10_000
"""Events that wait in memory, where not even the spool takes them."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds after a failure before the server is tried again; doubled with every failure."""
LOOK_AGAIN = 60.0
"""Seconds after which the spool is looked into again: others may have left something there."""


class Sender:
    """A queue and a thread that empties it; both are made anew in a forked child."""

    def __init__(self, server: Server, process: tuple[str, str], notices: Notices) -> None:
        self._server = server
        self._process = process
        self._notices = notices
        self._spool = Spool(server.spool, server.url)
        self.enough = False
        """Whether the server has said that the job's process has reached its threshold."""
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        # A handler of a signal may tell something while its thread holds one of these, or the
        # first: so both can be taken again, and who has the second never waits for the first.
        self._changed = threading.Condition()
        self._keeping = threading.RLock()
        self._waiting: dict[str, Event] = {}
        self._copies: dict[str, str] = {}
        """The files of those that wait and are on the disk as well, by their ids."""
        self._closing = False
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._look_at = 0.0
        self._looked = False
        self._spool_fails = False

    def put(self, event: Event) -> None:
        """Send an event soon; returns at once."""
        if self._pid != os.getpid():
            # A child shares neither our thread nor the events that are ours to send.
            self._begin()
        with self._changed:
            self._waiting[event.id] = event
            if len(self._waiting) > MOST_WAITING:
                self._lose_one()
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    def _start(self) -> None:
        self._closing = False
        thread = threading.Thread(target=self._run, name="lamia-job", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return  # there are no new threads, as at the end of a Python: see close()
        self._thread = thread

    def close(self, patience: float) -> None:
        """Send what waits, for so many seconds at most; then it goes to the spool."""
        if self._pid != os.getpid():
            self._begin()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
            # What others have left in the spool goes with our events, however few we have.
            has_work = bool(self._waiting) or not self._looked
        if thread is not None and has_work:
            thread.join(patience)
        rest = self._snapshot()
        # The thread may hang in a request, and even succeed: the server knows an event again.
        if rest and not self._keep(rest):
            self._notices.mistake("lost", f"{len(rest)} events are lost: no server, no spool.")

    def _lose_one(self) -> None:
        victim = min(self._waiting.values(), key=lambda event: event.rank)
        del self._waiting[victim.id]
        self._notices.mistake("full", "Too many events wait: the oldest beats are let go.")

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # whatever happens here is not the job's business
            self._notices.mistake("internal", f"Sending has stopped: {error!r}.")
        finally:
            with self._changed:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _work(self) -> None:
        connection = Connection(self._server, self._hesitate)
        flusher = Flusher(connection, self._spool)
        try:
            while self._wait():
                batch = self._snapshot()[:BATCH]
                if not batch:
                    self._flush(flusher)
                elif self._is_away():
                    self._keep(batch)
                elif not self._send(connection, batch):
                    self._retry_at = max(self._retry_at, time.monotonic() + FIRST_PAUSE)
                    if self._closing:
                        return
        finally:
            connection.close()

    def _send(self, connection: Connection, batch: Sequence[Event]) -> bool:
        """Send events once; whether all of them need no more care."""
        delivery = deliver(connection, batch)
        for event, reason in delivery.refused:
            self._spool.refuse(event, reason)
        self._settle([*delivery.stored, *(event for event, _reason in delivery.refused)])
        self._conclude(delivery)
        return not delivery.kept or self._keep(delivery.kept)

    def _wait(self) -> bool:
        """Wait until there is something to do; whether there is, or this thread is to end."""
        with self._changed:
            while True:
                now = time.monotonic()
                away = self._is_away()
                if self._waiting and not (away and self._spool_fails):
                    return True
                if not self._waiting and self._closing and (self._looked or self._failures):
                    self._thread = None  # what is told from now on needs another one
                    return False
                if not away and now >= self._look_at:
                    return True
                self._changed.wait((self._retry_at if away else self._look_at) - now)

    def _is_away(self) -> bool:
        """Whether the server need not be asked yet; at the end it is asked once more."""
        return time.monotonic() < self._retry_at and not self._closing

    def _flush(self, flusher: Flusher) -> None:
        """Send from the spool for as long as nothing else is to be done."""
        self._look_at = time.monotonic() + LOOK_AGAIN * _jitter()
        if self._spool.names() and self._spool.begin_sending():
            try:
                self._flush_until_interrupted(flusher)
            finally:
                self._spool.end_sending()
        self._looked = True

    def _flush_until_interrupted(self, flusher: Flusher) -> None:
        for delivery in flusher.steps():
            self._conclude(delivery)
            self._spool.go_on_sending()
            if self._waiting or self._closing:
                self._look_at = 0.0
                return

    def _conclude(self, delivery: Delivery) -> None:
        """Learn from a delivery whether the server is there, whether it is enough, and more."""
        if self._process in delivery.enough:
            self.enough = True
        for process, kind, text in delivery.remarks:
            # The spool has events of others, too; theirs is not our business.
            if process == self._process:
                self._notices.mistake(kind, text)
        if delivery.trouble is None:
            self._failures, self._retry_at = 0, 0.0
            return
        self._notices.trouble("away", f"{delivery.trouble} Events are kept for later.")
        pause = min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
        self._failures += 1
        self._retry_at = time.monotonic() + pause * _jitter()
        self._look_at = 0.0

    def _hesitate(self) -> None:
        """The server takes its time: copy to the disk what waits for it, in case we are killed."""
        with self._keeping:
            try:
                self._copies.update(self._put(self._snapshot()))
            except OSError:
                pass  # if the server fails as well, it will be told
            except Exception as error:
                self._notices.mistake("internal", f"Events are not on the disk: {error!r}.")

    def _keep(self, events: Sequence[Event]) -> bool:
        """Leave events that still wait to the disk; whether all are there."""
        try:
            with self._keeping:
                self._put(events)
                # A copy is now more than that, and so is what lies beside it in its file.
                files = {self._copies.get(event.id) for event in events}
                self._copies = {i: name for i, name in self._copies.items() if name not in files}
                self._forget(events)
        except OSError as error:
            self._spool_fails = True
            self._notices.mistake("spool", f"The spool {self._spool.folder} fails: {error}.")
            return False
        self._spool_fails = False
        return True

    def _put(self, events: Sequence[Event]) -> dict[str, str]:
        """Write those that still wait and have no copy; their files, by their ids."""
        wanted = [e for e in events if e.id in self._waiting and e.id not in self._copies]
        kept = self._spool.put(wanted)
        if kept.lost:
            self._notices.mistake("full", "The spool is full: the oldest beats are let go.")
        return kept.names

    def _settle(self, events: Sequence[Event]) -> None:
        """The server has had the last word on these: they, and their copies, are done with."""
        with self._keeping:
            self._forget(events)
            files = {self._copies.pop(event.id) for event in events if event.id in self._copies}
            for name in files.difference(self._copies.values()):
                self._spool.remove(name)

    def _snapshot(self) -> list[Event]:
        return list(self._waiting.copy().values())

    def _forget(self, events: Iterable[Event]) -> None:
        for event in events:
            self._waiting.pop(event.id, None)


def _jitter() -> float:
    """From a half to one, so that a thousand jobs do not come back at once.

    The module ``random`` takes long to import.
    """
    return 0.5 + os.urandom(1)[0] / 510

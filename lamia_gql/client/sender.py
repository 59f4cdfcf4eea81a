"""Sends a job's events in the background, and spools what can't be sent."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

from lamia_gql.client.backoff import MIN_RETRY_DELAY_S, Backoff, jitter
from lamia_gql.client.configuration import ServerConfig
from lamia_gql.client.delivery import DeliveryResult, deliver
from lamia_gql.client.event import Event
from lamia_gql.client.flusher import Flusher
from lamia_gql.client.request_limits import MAX_EVENTS_PER_REQUEST, RequestLimits
from lamia_gql.client.server_connection import ServerConnection
from lamia_gql.client.spool import Spool
from lamia_gql.client.spool_file_name import job_of_file
from lamia_gql.client.waiting_events import WaitingEvents
from lamia_gql.client.warning_log import WarningLog

MANY_WAITING_EVENTS = 2000
"""How many events wait in memory before a stream of events has to wait for them."""
MIN_SPOOL_TIME_S = 5.0
"""How long the spool has for the last events, if sending them has taken all the time."""
SPOOL_CHECK_INTERVAL_S = 60.0
"""How often the spool is checked for events that other jobs have left there."""


class Sender:
    """A queue of events and a thread that sends them; a forked child gets its own.

    Args:
        server: Where to send events, and where the spool is.
        process: The names of the job's task and process; None for events of any process.
        warnings: Gets warnings about this process' events, but not about those of others that are
            in the spool.
    """

    def __init__(
        self, server: ServerConfig, process: tuple[str, str] | None, warnings: WarningLog
    ) -> None:
        self._server = server
        self._process = process
        self._warnings = warnings
        self._spool = Spool(server.spool, server.url)
        self.enough = False
        """Whether the job's process has reached its threshold."""
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        # A signal handler may report an event while its own thread holds one of these locks. So
        # both are reentrant, and a thread that holds the second one never waits for the first.
        self._changed = threading.Condition()
        self._spooling = threading.RLock()
        self._waiting = WaitingEvents()
        self._copies: dict[str, str] = {}
        """The spool files with copies of waiting events, by the events' ids."""
        self._closing = False
        self._thread: threading.Thread | None = None
        self._backoff = Backoff(self._spool.down)
        self._holds = 0
        """How often in a row the server has kept this job's events waiting, for example because
        the task does not exist yet."""
        self._check_spool_at = 0.0
        self._has_checked_spool = False
        self._spool_fails = False
        self._earlier_may_wait = True
        """Whether earlier events of this job may be in the spool, which are sent first."""

    @property
    def has_waiting(self) -> bool:
        """Whether there are events that are neither stored nor spooled."""
        return bool(self._waiting)

    def put(self, event: Event) -> None:
        """Send an event in the background; returns at once."""
        if self._pid != os.getpid():
            # A forked child has neither our thread nor the duty to send our events.
            self._reset()
        with self._changed:
            if not self._waiting.add(event):
                self._warnings.warn("full", "Too many events wait: the oldest beats are dropped.")
            if self._thread is None:
                self._start_thread()
            self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Wait until few events wait to be sent or spooled, so that none are dropped."""
        while len(self._waiting) >= MANY_WAITING_EVENTS and not self._spool_fails:
            if self._thread is None:
                self._move_to_spool(self._waiting.snapshot())  # there was no new thread
            else:
                time.sleep(0.01)

    def _start_thread(self) -> None:
        self._closing = False
        thread = threading.Thread(target=self._run, name="lamia-job", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return  # no new threads, as when Python exits: close() spools the events
        self._thread = thread

    def close(self, timeout: float) -> None:
        """Send what waits, for at most ``timeout`` seconds; then spool the rest.

        A spool on a file system that hangs costs five seconds more. Events that can't be spooled
        either still wait: for the next call, which may be the last one when Python exits.
        """
        deadline = time.monotonic() + timeout
        if self._pid != os.getpid():
            self._reset()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
            # Even a job without waiting events sends what others have left in the spool.
            has_work = bool(self._waiting) or not self._has_checked_spool
        if thread is not None and has_work:
            thread.join(timeout)
        rest = self._waiting.snapshot()
        # The thread may hang in a request that succeeds later: the server detects duplicates.
        if rest and not self._move_to_spool_in_time(rest, deadline):
            text = f"{len(rest)} events are lost: neither the server nor the spool takes them."
            self._warnings.warn("lost", text)
        if rest:
            self._backoff.tell_others()

    def _run(self) -> None:
        try:
            while not self._has_finished():
                pass
        finally:
            with self._changed:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _has_finished(self) -> bool:
        """Work until there is nothing left to do; returns False after an unexpected exception."""
        try:
            self._work()
        except Exception as error:  # no error of ours may reach the job, or stop other events
            self._warnings.warn("internal", f"Sending was interrupted: {error!r}.")
            self._set_aside_broken()
            if self._closing:
                return True  # close() spools what is left
            time.sleep(MIN_RETRY_DELAY_S)
            return False
        return True

    def _set_aside_broken(self) -> None:
        """Refuse waiting events that can't be encoded."""
        for event in self._waiting.snapshot():
            try:
                event.encode()
            except Exception as error:
                self._spool.add_refused(event, f"It can't be sent: {error!r}.")
                self._waiting.remove([event])

    def _work(self) -> None:
        if self._backoff.read_mark():
            text = f"The server at {self._server.url} has not answered other jobs."
            self._warnings.warn_temporary("unavailable", f"{text} Events are kept and sent later.")
        connection = ServerConnection(self._server, on_slow=self._handle_slowness)
        limits = RequestLimits()
        flusher = Flusher(connection, self._spool, limits)
        try:
            while self._wait_for_work():
                batch = self._waiting.snapshot()[:MAX_EVENTS_PER_REQUEST]
                if not batch:
                    self._flush(flusher)
                elif self._backoff.remaining_s(is_closing=self._closing) > 0:
                    self._move_to_spool(batch)
                elif not self._send(connection, limits, flusher, batch):
                    if self._backoff.remaining_s() < MIN_RETRY_DELAY_S / 2:
                        self._backoff.delay()
                    if self._closing:
                        return
        finally:
            connection.close()

    def _send(
        self,
        connection: ServerConnection,
        limits: RequestLimits,
        flusher: Flusher,
        batch: Sequence[Event],
    ) -> bool:
        """Send events once; returns whether all of them are stored, refused or spooled."""
        if not self._send_earlier(flusher, batch):
            return self._move_to_spool(batch)
        result = deliver(connection, batch, limits)
        for event, reason in result.refused:
            self._spool.add_refused(event, reason)
        self._remove([*result.stored, *(event for event, _reason in result.refused)])
        self._handle_result(result)
        return not result.kept or self._move_to_spool(result.kept)

    def _send_earlier(self, flusher: Flusher, batch: Sequence[Event]) -> bool:
        """Send events of this job that are in the spool; returns whether later ones may follow."""
        if not self._earlier_may_wait and not any(event.is_end for event in batch):
            return True
        jobs = {job for event in batch for job in (event.job, event.without("index").job)}
        copies = self._copies.copy().values()
        names = [
            name
            for name in self._spool.file_names()
            if job_of_file(name) in jobs and name not in copies
        ]
        may_follow = True
        for result in flusher.flush(names) if names else ():
            self._handle_result(result)
            may_follow = may_follow and result.failure is None and flusher.are_stuck(result.kept)
        self._earlier_may_wait = not may_follow
        if may_follow:
            self._holds = 0
        elif not self._backoff.failures:
            self._backoff.delay(self._holds)
            self._holds += 1
        return may_follow

    def _wait_for_work(self) -> bool:
        """Wait until there is something to do; returns False if the thread is to end."""
        with self._changed:
            while True:
                delay_s = self._backoff.remaining_s(is_closing=self._closing)
                if self._waiting and not (delay_s > 0 and self._spool_fails):
                    return True
                has_tried = self._has_checked_spool or self._backoff.failures
                if not self._waiting and self._closing and has_tried:
                    self._thread = None  # later events need another thread
                    return False
                check_in_s = self._check_spool_at - time.monotonic()
                if delay_s <= 0 and check_in_s <= 0:
                    return True
                self._changed.wait(delay_s if delay_s > 0 else check_in_s)

    def _flush(self, flusher: Flusher) -> None:
        """Send from the spool until there is other work."""
        self._check_spool_at = time.monotonic() + SPOOL_CHECK_INTERVAL_S * jitter()
        if self._spool.file_names() and self._spool.claim():
            try:
                self._flush_until_interrupted(flusher)
            finally:
                self._spool.release_claim()
        self._has_checked_spool = True

    def _flush_until_interrupted(self, flusher: Flusher) -> None:
        for result in flusher.flush():
            self._handle_result(result)
            self._spool.renew_claim()
            if self._waiting or self._closing:
                self._check_spool_at = 0.0
                return

    def _handle_result(self, result: DeliveryResult) -> None:
        """Take over ``enough``, the warnings, and whether the server is available."""
        if self._spool.refused.has_dropped:
            text = f"{self._spool.refused.folder} is full: the oldest events in it are dropped."
            self._warnings.warn("refused full", text)
        if self._process in result.enough:
            self.enough = True
        for warning in result.warnings:
            # The spool also has events of other processes, whose users get their own warnings.
            if self._process in (None, warning.process):
                self._warnings.warn(warning.kind, warning.text)
        if result.failure is None:
            self._backoff.note_success()
            return
        text = f"{result.failure} Events are kept and sent later."
        self._warnings.warn_temporary("unavailable", text)
        self._backoff.note_failure(result.retry_after_s)
        self._check_spool_at = 0.0

    def _handle_slowness(self) -> None:
        self._backoff.is_slow = True
        self._copy_to_spool()

    def _copy_to_spool(self) -> None:
        """Copy waiting events to the spool while the server is slow, in case we are killed."""
        with self._spooling:
            try:
                self._copies.update(self._write_to_spool(self._waiting.snapshot()))
            except OSError:
                pass  # warned of if the server does not take the events either
            except Exception as error:
                self._warnings.warn("internal", f"Events can't be spooled: {error!r}.")

    def _move_to_spool(self, events: Sequence[Event]) -> bool:
        """Leave waiting events to the spool; returns whether all of them are there."""
        try:
            with self._spooling:
                self._write_to_spool(events)
                # Files with these events are no longer mere copies, nor are other events in them.
                files = {self._copies.get(event.id) for event in events}
                self._copies = {i: name for i, name in self._copies.items() if name not in files}
                self._waiting.remove(events)
        except OSError as error:
            self._spool_fails = True
            text = f"The spool {self._spool.folder} can't be written: {error}."
            self._warnings.warn("spool", text)
            return False
        self._spool_fails = False
        return True

    def _move_to_spool_in_time(self, events: Sequence[Event], deadline: float) -> bool:
        """Leave events to the spool, as :meth:`_move_to_spool`, unless its file system hangs."""
        done: list[bool] = []
        thread = threading.Thread(
            target=lambda: done.append(self._move_to_spool(events)), name="lamia-spool", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            return self._move_to_spool(events)  # no new threads, as when Python exits
        thread.join(max(deadline - time.monotonic(), MIN_SPOOL_TIME_S))
        return done == [True]

    def _write_to_spool(self, events: Sequence[Event]) -> dict[str, str]:
        """Write waiting events that have no copy; returns their files by the events' ids."""
        wanted = [e for e in events if e in self._waiting and e.id not in self._copies]
        result = self._spool.add(wanted)
        if wanted:
            self._earlier_may_wait = True
        if result.refused:
            text = f"Events can't be spooled; see {self._spool.refused.folder}."
            self._warnings.warn("refused", text)
        if result.dropped:
            self._warnings.warn("full", "The spool is full: the oldest beats are dropped.")
        return result.file_names

    def _remove(self, events: Sequence[Event]) -> None:
        """Forget events that the server has stored or refused, and delete their copies."""
        with self._spooling:
            self._waiting.remove(events)
            files = {self._copies.pop(event.id) for event in events if event.id in self._copies}
            for name in files.difference(self._copies.values()):
                self._spool.remove(name)

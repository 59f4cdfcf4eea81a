"""A job, as it tells of itself."""

from __future__ import annotations

import atexit
import math
import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lamia_gql.client.address import AddressError, find_member, find_server
from lamia_gql.client.event import Event, new_id, plain
from lamia_gql.client.warnings import Notices

if TYPE_CHECKING:
    from lamia_gql.client.sender import Sender

LAST_WAIT = 5.0
"""Seconds that a job waits at its end for the server to take the last events."""
TRACEBACK_LINES = 20


class Job:
    """One job of a task; whatever happens to its events, no method of it raises or waits.

    As a context manager it is STARTED at its beginning, and at its end DONE; with an exception
    FAILED, or TERMINATED where that is a KeyboardInterrupt. What is not given comes from the
    environment: see ``docs/jobs.md``. Where that does not say enough, a warning is printed, and
    nothing is sent.

    Args:
        task: The task's name; LAMIA_TASK unless given.
        process: The process' name; LAMIA_PROCESS unless given.
        index: The index in an array, or ``"none"`` in a solitary process; unless given,
            LAMIA_INDEX, or what the batch system says.
        url: The server's address; LAMIA_URL unless given.
        spool: The folder for what can't be sent; LAMIA_SPOOL unless given.
        environ: What to read instead of this process' environment.
        quiet: Whether to keep passing troubles, like a server that is away, off stderr.
    """

    def __init__(
        self,
        task: str | None = None,
        process: str | None = None,
        index: int | str | None = None,
        *,
        url: str | None = None,
        spool: str | None = None,
        environ: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> None:
        environ = os.environ if environ is None else environ
        self._notices = Notices(quiet=quiet)
        self._latest = datetime.min.replace(tzinfo=timezone.utc)
        self._ended = False
        self._sender: Sender | None = None
        try:
            self._member = find_member(environ, task=task, process=process, index=index)
            server = find_server(environ, url=url, spool=spool)
            # It takes long to import, so only where it is used; and here, not in its thread: the
            # child of a fork in the middle of that would wait for the other half for ever.
            from lamia_gql.client.sender import Sender

            whose = self._member.task, self._member.process
            self._sender = Sender(server, whose, self._notices)
        except AddressError as error:
            self._notices.mistake("address", f"{error} Nothing will be sent.")
        except Exception as error:  # a Python that lacks some of its modules, for one
            self._notices.mistake("internal", f"Nothing will be sent: {error!r}.")
        else:
            atexit.register(self.close)

    def __enter__(self) -> Job:
        self.emit("STARTED")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._ended:
            self._end(kind, error, trace)
        self.close()

    def _end(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.done()
        elif isinstance(error, KeyboardInterrupt):
            self.terminated({"signal": "SIGINT"})
        elif isinstance(error, SystemExit):
            self.failed({"exitCode": error.code})
        else:
            import traceback  # it takes long, and is seldom needed

            lines = "".join(traceback.format_exception(kind, error, trace)).splitlines()
            self.failed({"error": repr(error)[:1000], "traceback": lines[-TRACEBACK_LINES:]})

    @property
    def enough(self) -> bool:
        """Whether the process has reached its threshold, by the server's word: stop, if you can."""
        return self._sender is not None and self._sender.enough

    @property
    def notices(self) -> list[str]:
        """All warnings so far, also those that were not printed."""
        return self._notices.told

    def ready(self, payload: Any = None) -> None:
        """Tell that the job has its resources and begins its work."""
        self.emit("READY", payload=payload)

    def beat(self, payload: Any = None) -> None:
        """Tell that the job is alive."""
        self.emit("BEAT", payload=payload)

    def progress(self, progress: float, payload: Any = None) -> None:
        """Tell how far the job is: percent without a threshold, any number with one."""
        self.emit("PROGRESS", progress=progress, payload=payload)

    def done(self, payload: Any = None) -> None:
        """Tell that the job has ended well."""
        self.emit("DONE", payload=payload)

    def failed(self, payload: Any = None) -> None:
        """Tell that the job has failed."""
        self.emit("FAILED", payload=payload)

    def terminated(self, payload: Any = None) -> None:
        """Tell that the job was stopped from outside, or because it is enough."""
        self.emit("TERMINATED", payload=payload)

    def emit(
        self,
        event_class: str,
        *,
        progress: float | None = None,
        payload: Any = None,
        at: float | None = None,
    ) -> None:
        """Tell anything; ``event_class`` is one of the eight, like ``"BEAT"``.

        ``at`` is when it happened, in seconds since 1970, where that is not now.
        """
        try:
            if self._sender is not None:
                self._sender.put(self._event(event_class, progress, payload, at))
        except Exception as error:  # whatever it is, it is not worth a job
            self._notices.mistake("internal", f"An event was not sent: {error!r}.")

    def close(self, patience: float = LAST_WAIT) -> None:
        """Wait until all is sent, for so many seconds at most; the rest goes to the spool.

        What is told after that is sent at the next call, or at the end of the process.
        """
        try:
            if self._sender is not None:
                self._sender.close(patience)
        except Exception as error:
            self._notices.mistake("internal", f"Events may be lost: {error!r}.")

    def _event(
        self, event_class: str, progress: float | None, payload: Any, at: float | None
    ) -> Event:
        member = self._member
        fields: dict[str, Any] = {
            "id": new_id(),
            "task": member.task,
            "process": member.process,
            "eventClass": event_class,
            "attempt": member.attempt,
            "sentAt": self._time(at),
            "hostname": os.uname().nodename,
        }
        if member.job_index is not None:
            fields["index"] = member.job_index
        if payload is not None:
            fields["payload"] = plain(payload)
        if progress is not None:
            progress = float(progress)
            if math.isfinite(progress):
                fields["progress"] = progress
            else:
                self._notices.mistake("progress", f"Progress is not a number: {progress}.")
        event = Event(fields, member.index_found)
        self._ended |= event.is_end
        return event

    def _time(self, at: float | None) -> str:
        """The time, later than all that was told before, even where the clock is put back."""
        given = (
            datetime.now(timezone.utc) if at is None else datetime.fromtimestamp(at, timezone.utc)
        )
        # Without a lock, which a fork or a signal could find taken; of two threads at once none
        # is the first.
        self._latest = latest = max(given, self._latest + timedelta(microseconds=1))
        return latest.isoformat(timespec="microseconds")

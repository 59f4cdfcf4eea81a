"""A job that reports its events."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from lamia_gql.client import unclosed_jobs
from lamia_gql.client.configuration import ConfigurationError, find_job, find_server
from lamia_gql.client.event import Event, new_id, to_json_value
from lamia_gql.client.event_clock import EventClock
from lamia_gql.client.event_details import (
    describe_exception,
    is_cancellation,
    make_details,
    to_text,
)
from lamia_gql.client.priorities import PRIORITIES
from lamia_gql.client.warning_log import WarningLog

if TYPE_CHECKING:
    from lamia_gql.client.sender import Sender

CLOSE_TIMEOUT_S = 5.0
"""How long a job waits at its end for the server to accept the last events."""
MAX_TRACEBACK_LINES = 20
Item = TypeVar("Item")


class Job:
    """One job of a task. No method raises, and none but :meth:`close` waits.

    As a context manager it sends STARTED at the beginning and DONE at the end; after an exception
    FAILED, after a KeyboardInterrupt or a CancelledError TERMINATED. Arguments that are not given
    come from the environment: see ``docs/jobs.md``. If the configuration is incomplete, a warning
    is printed and nothing is sent. Of the ranks of a parallel job, only the first one sends.

    Args:
        task: Name of the task. Defaults to LAMIA_TASK.
        process: Name of the process. Defaults to LAMIA_PROCESS.
        index: Index in the array, or ``"none"`` in a solitary process. Defaults to LAMIA_INDEX,
            then to the index that the batch system sets.
        attempt: How often the job was restarted. Defaults to LAMIA_ATTEMPT, then to what the batch
            system tells.
        url: Address of the server. Defaults to LAMIA_URL.
        spool: Directory for events that can't be sent. Defaults to LAMIA_SPOOL.
        environ: Variables to read instead of the environment of this Python process.
        quiet: Whether to keep temporary problems, like an unavailable server, off stderr.
    """

    def __init__(
        self,
        task: str | None = None,
        process: str | None = None,
        index: int | str | None = None,
        *,
        attempt: int | None = None,
        url: str | None = None,
        spool: str | None = None,
        environ: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> None:
        environ = os.environ if environ is None else environ
        self._warnings = WarningLog(quiet=quiet)
        self._clock = EventClock()
        self._ended = False
        self._sender: Sender | None = None
        try:
            self._identity = find_job(
                environ, task=task, process=process, index=index, attempt=attempt
            )
            if not self._identity.reports:
                return
            server = find_server(environ, url=url, spool=spool)
            # Slow to import, so only where it is needed. Not in the sender's thread, because a
            # child that is forked during an import would wait for the import lock forever.
            from lamia_gql.client.sender import Sender

            owner = self._identity.task, self._identity.process
            self._sender = Sender(server, owner, self._warnings)
        except ConfigurationError as error:
            self._warnings.warn("configuration", f"{error} Nothing will be sent.")
        except Exception as error:  # for example a Python that lacks some of its modules
            self._warnings.warn("internal", f"Nothing will be sent: {error!r}.")

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
            self._emit_end(kind, error, trace)
        self.close()

    def _emit_end(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.done()
        elif isinstance(error, KeyboardInterrupt):
            message = describe_exception(error)
            self.terminated({"signal": "SIGINT"}, signal="SIGINT", message=message)
        elif is_cancellation(error):
            self.terminated(message=describe_exception(error))
        elif isinstance(error, SystemExit):
            # Python prints anything but a number, and exits with 1.
            given = error.code
            code, text = (given & 0xFF, "") if isinstance(given, int) else (1, to_text(given))
            self.failed({"exitCode": given}, exit_code=code, message=text)
        else:
            import traceback  # slow to import, and seldom needed

            lines = "".join(traceback.format_exception(kind, error, trace)).splitlines()
            payload = {"error": repr(error)[:1000], "traceback": lines[-MAX_TRACEBACK_LINES:]}
            self.failed(payload, message=describe_exception(error))

    @property
    def reports(self) -> bool:
        """Whether events are sent: the configuration is complete, and no other rank reports."""
        return self._sender is not None

    def with_index(self, index: int) -> Job:
        """Return the job of another index of the array, with the same connection."""
        other = copy.copy(self)
        if self._sender is not None:
            other._identity = self._identity._replace(job_index=index, index_found=False)
            other._ended = False
        return other

    @property
    def enough(self) -> bool:
        """Whether the process has reached its threshold, so that the job may stop."""
        return self._sender is not None and self._sender.enough

    @property
    def warnings(self) -> list[str]:
        """All warnings so far, including those that were not printed."""
        return self._warnings.messages

    def ready(self, payload: Any = None) -> None:
        """Send READY: the job has its resources and starts to work."""
        self.emit("READY", payload=payload)

    def beat(self, payload: Any = None, *, usage: Mapping[str, float] | None = None) -> None:
        """Send BEAT: the job is alive. For ``usage`` see :meth:`emit`."""
        self.emit("BEAT", payload=payload, usage=usage)

    def progress(self, progress: float, payload: Any = None) -> None:
        """Send PROGRESS: percent if the process has no threshold, else any number."""
        self.emit("PROGRESS", progress=progress, payload=payload)

    def track(
        self,
        items: Iterable[Item],
        total: float | None = None,
        *,
        is_count: bool = False,
        stop_when_enough: bool = False,
    ) -> Iterator[Item]:
        """Yield items, and report how many are done: every five seconds, and at the end.

        Args:
            items: Anything to iterate over. What they raise is raised.
            total: How many items there are. Defaults to their length. Without either, BEAT is sent
                instead of PROGRESS.
            is_count: Whether to report the number of items and not a percentage, as for a process
                with a threshold.
            stop_when_enough: Whether to stop as soon as :attr:`enough` is true.
        """
        from lamia_gql.client.progress_counter import track

        return track(self, items, total, is_count=is_count, stop_when_enough=stop_when_enough)

    def held(self, message: str | None = None, payload: Any = None) -> None:
        """Send HELD: the job is suspended, until the next STARTED; ``message`` says why."""
        self.emit("HELD", payload=payload, message=message)

    def done(self, payload: Any = None, *, usage: Mapping[str, float] | None = None) -> None:
        """Send DONE: the job has succeeded. For ``usage`` see :meth:`emit`."""
        self.emit("DONE", payload=payload, usage=usage)

    def failed(
        self,
        payload: Any = None,
        *,
        exit_code: int | None = None,
        signal: str | int | None = None,
        message: str | None = None,
        usage: Mapping[str, float] | None = None,
    ) -> None:
        """Send FAILED: the job has ended with an error. For the arguments see :meth:`emit`."""
        self.emit(
            "FAILED",
            payload=payload,
            exit_code=exit_code,
            signal=signal,
            message=message,
            usage=usage,
        )

    def terminated(
        self,
        payload: Any = None,
        *,
        exit_code: int | None = None,
        signal: str | int | None = None,
        message: str | None = None,
        usage: Mapping[str, float] | None = None,
    ) -> None:
        """Send TERMINATED: the job was stopped from outside, or because of :attr:`enough`.

        For the arguments see :meth:`emit`.
        """
        self.emit(
            "TERMINATED",
            payload=payload,
            exit_code=exit_code,
            signal=signal,
            message=message,
            usage=usage,
        )

    def emit(
        self,
        event_class: str,
        *,
        progress: float | None = None,
        payload: Any = None,
        at: float | None = None,
        exit_code: int | None = None,
        signal: str | int | None = None,
        message: str | None = None,
        batch_id: str | None = None,
        usage: Mapping[str, float] | None = None,
    ) -> None:
        """Send an event in the background.

        An unknown event class is not sent, and a progress that is not a finite number is left out;
        both cause a warning.

        Args:
            event_class: One of the nine event classes, like ``"BEAT"``.
            progress: Percent if the process has no threshold, else any number.
            payload: Any value; what JSON can't represent becomes text.
            at: The time of the event in seconds since 1970. Defaults to now.
            exit_code: The exit code of the job's program.
            signal: The signal that has ended it: a name like ``"SIGKILL"``, or a number.
            message: Why it has ended or is held. At most 1 KiB of UTF-8 is sent.
            batch_id: The batch system's own id of the job. Defaults to what it tells.
            usage: What the job has used, any of ``cpuSeconds``, ``wallSeconds``, ``maxRssBytes``,
                ``readBytes``, ``writeBytes``, ``cpus`` and ``requestedMemoryBytes``. The last two
                default to what the batch system tells.
        """
        try:
            if event_class not in PRIORITIES:
                text = f"{event_class!r} is not an event class: use {', '.join(PRIORITIES)}."
                self.warn("event class", f"{text} The event was not sent.")
            elif self._sender is not None:
                event = self._make_event(event_class, progress, payload, at)
                details = make_details(
                    exit_code=exit_code,
                    signal_name=signal,
                    message=message,
                    batch_id=batch_id or self._identity.batch_id,
                    usage=usage and {**self._requested(), **usage},
                )
                event.fields.update(details)
                self._sender.put(event)
                # Last, because another thread may have closed the job meanwhile.
                unclosed_jobs.keep(self, self._sender)
        except Exception as error:  # no error of ours may stop the job
            self._warnings.warn("internal", f"An event was not sent: {error!r}.")

    def warn(self, kind: str, text: str, *, is_temporary: bool = False) -> None:
        """Print a warning for the user, and keep it in :attr:`warnings`; once for each kind.

        A quiet job does not print one that is temporary, or that the user can't correct.
        """
        warn = self._warnings.warn_temporary if is_temporary else self._warnings.warn
        warn(kind, text)

    def close(self, timeout: float = CLOSE_TIMEOUT_S) -> None:
        """Wait until all events are sent, at most ``timeout`` seconds; the rest is spooled.

        Events that are reported afterwards are sent by the next call, or when Python exits.
        """
        try:
            if self._sender is not None:
                unclosed_jobs.close(self, self._sender, timeout)
        except Exception as error:
            self._warnings.warn("internal", f"Events may be lost: {error!r}.")

    def _make_event(
        self, event_class: str, progress: float | None, payload: Any, at: float | None
    ) -> Event:
        identity, host = self._identity, os.uname().nodename
        fields: dict[str, Any] = {
            "id": new_id(),
            "task": identity.task,
            "process": identity.process,
            "eventClass": str.__str__(event_class),
            "attempt": identity.attempt,
            "sentAt": self._clock.next(at),
            "hostname": identity.hostname or host,
        }
        if identity.job_index is not None:
            fields["index"] = identity.job_index
        if payload is not None:
            fields["payload"] = to_json_value(payload)
        number = self._parse_progress(progress)
        if number is not None:
            fields["progress"] = number
        event = Event(fields, identity.index_found, clock_host=host)
        self._ended |= event.is_end
        return event

    def _requested(self) -> dict[str, float]:
        given = {
            "cpus": self._identity.cpus,
            "requestedMemoryBytes": self._identity.requested_memory_bytes,
        }
        return {name: value for name, value in given.items() if value is not None}

    def _parse_progress(self, progress: float | None) -> float | None:
        """Return the number to send, or None. Warns of a value that is not a finite number."""
        if progress is None:
            return None
        try:
            number = float(progress)
            if math.isfinite(number):
                return number
            problem = str(number)
        except Exception:  # users pass anything
            problem = f"a {type(progress).__name__}"
        self.warn("progress", f"Progress must be a finite number, not {problem}.")
        return None

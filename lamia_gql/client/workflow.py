"""Reports the jobs of a workflow from the process of the workflow tool."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lamia_gql.client.configuration import find_server
from lamia_gql.client.event import Event, new_id, to_json_value
from lamia_gql.client.event_clock import EventClock
from lamia_gql.client.event_details import clean_message
from lamia_gql.client.growing_task import GrowingTask, TaskRefusedError
from lamia_gql.client.sender import Sender
from lamia_gql.client.server_connection import ServerUnavailableError
from lamia_gql.client.warning_log import WarningLog

CLOSE_TIMEOUT_S = 5.0
MAX_EARLY_EVENTS = 50_000
"""How many events wait in memory for the server to get their jobs."""


class Workflow:
    """A task that a workflow tool runs: it has arrays only, and they grow. No method raises.

    Events of jobs that the server does not have yet wait in memory until it has them.

    Args:
        task: Name of the task. It is created if it does not exist.
        url: Address of the server. Defaults to LAMIA_URL.
        environ: Where to read the other settings, as ``lamia-job`` does.
        fields: More fields of ``CreateTaskInput``.

    Raises :class:`ConfigurationError`.
    """

    def __init__(
        self,
        task: str,
        *,
        url: str | None = None,
        environ: Mapping[str, str] = os.environ,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        server = find_server(environ, url=url)
        self._warnings = WarningLog()
        self._task = GrowingTask(server, task, fields or {})
        self._sender = Sender(server, None, self._warnings)
        self._clock = EventClock()
        self._early: list[Event] = []
        """Events of jobs that the server does not have yet."""
        self._is_refused = False

    @property
    def is_new(self) -> bool:
        """Whether this workflow has created the task."""
        return self._task.is_new

    @property
    def warnings(self) -> list[str]:
        """All warnings so far."""
        return self._warnings.messages

    def size(self, process: str) -> int:
        """How many jobs an array has on the server, as far as that is known."""
        return self._task.size(process)

    def require(self, sizes: Mapping[str, int]) -> None:
        """Make sure that the task has these arrays, with at least so many jobs."""
        self._task.want(sizes)
        self._update()

    def emit(self, process: str, index: int, event_class: str, **fields: Any) -> None:
        """Send an event of a job in the background.

        Args:
            process: The name of the array, which is made or enlarged if it lacks the job.
            index: The index of the job, from 0.
            event_class: An event class.
            fields: More fields of ``SubmitEventInput``; a long message is cut.
        """
        event: dict[str, Any] = {
            "id": new_id(),
            "task": self._task.name,
            "process": process,
            "index": index,
            "eventClass": event_class,
            "sentAt": self._clock.next(),
        }
        event.update((name, value) for name, value in fields.items() if value is not None)
        if "payload" in event:
            event["payload"] = to_json_value(event["payload"])
        if "message" in event:
            event["message"] = clean_message(str(event["message"]))
        self._early.append(Event(event, index_found=False, clock_host=os.uname().nodename))
        if len(self._early) > MAX_EARLY_EVENTS:
            del self._early[0]
            self._warnings.warn("full", "Too many events wait: the oldest ones are dropped.")
        self._task.want({process: index + 1})
        if index < self._task.size(process) and len(self._early) == 1:
            self._send_early()
        else:
            self._update()

    def close(self) -> None:
        """Wait until all events are sent, for a few seconds; the rest is spooled."""
        self._update(at_once=True)
        if self._early and not self._is_refused:
            text = f"{len(self._early)} events are lost: the server has not got their jobs."
            self._warnings.warn("lost", text)
        self._sender.close(CLOSE_TIMEOUT_S)
        self._task.close()

    def _update(self, *, at_once: bool = False) -> None:
        if self._is_refused:
            self._early.clear()
            return
        try:
            self._task.update(at_once=at_once)
        except TaskRefusedError as error:
            self._is_refused = True
            self._warnings.warn("task", f"{error} Nothing is reported.")
        except ServerUnavailableError as error:
            self._warnings.warn("unavailable", f"{error} It is tried again.")
        except Exception as error:  # no error of ours may stop the workflow
            self._warnings.warn("internal", f"The task can't be changed: {error!r}.")
        self._send_early()

    def _send_early(self) -> None:
        """Send the events whose jobs the server has."""
        waiting = []
        for event in self._early:
            if event.fields["index"] < self._task.size(event.fields["process"]):
                self._sender.put(event)
            else:
                waiting.append(event)
        self._early = waiting

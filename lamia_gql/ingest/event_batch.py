"""One transaction of events, with a fixed number of statements, and some more for many events.

First all that the events concern is locked and read. Then the events are applied in memory, and
what has changed is written at last. Many events are applied in parts, so that PostgreSQL already
writes those of one part while the next is applied.

Whether an event is stored already, only the INSERT tells, because hardly any is: to ask for each of
them first takes as long as to store it. If some are, those that were stored are removed again, the
ones that are stored already are read, and the events are applied anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, NamedTuple

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.job_details import BASE, BATCH_ID, MAX_ATTEMPT
from lamia_gql.domain.lifecycle import EMPTY, Occurrence, Summary, add, event_time
from lamia_gql.domain.progress import is_enough
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.event_statements import (
    ADD_USAGE,
    GROUP_PROCESSES,
    INSERT_EVENTS,
    PLAIN_EVENT,
    PLAIN_JOB,
    REMOVE_EVENTS,
    UPDATE_TASKS,
    WRITE_EVENTS,
    WRITE_PLAIN_EVENTS,
    process_counters,
)
from lamia_gql.ingest.event_targets import (
    EventKey,
    JobKey,
    LockMode,
    Targets,
    read_stored,
    resolve,
)
from lamia_gql.ingest.outbox import Outbox
from lamia_gql.ingest.process_accumulator import ProcessAccumulator
from lamia_gql.ingest.samples import Samples
from lamia_gql.ingest.task_totals import TaskCounts, task_counts, task_totals
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.details_json import encode_values
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.rows import EventRow, JobRow, ProcessRow
from lamia_gql.storage.transaction import WriteTransaction

PART = 250
"""Of more events, so many are sent at once: while PostgreSQL writes them, others are applied."""
ProcessKey = tuple[int, int]
"""Task and process."""


class Outcome(NamedTuple):
    """What became of an event, and its process as the transaction left it."""

    event: EventRow
    duplicate: bool
    enough: bool
    process: ProcessRow
    task: str


def record(
    transaction: WriteTransaction,
    events: Sequence[NewEvent],
    mode: LockMode = LockMode.SKIP,
    outbox: Outbox | None = None,
) -> list[Outcome | UserError | None]:
    """Store events in a transaction, and publish them on commit; one outcome or error each.

    It is None for events that were not stored because their task is locked. The outbox, if any,
    gets the notifications of what they change.
    """
    connection = transaction.connection
    driver = Driver(connection)
    targets = resolve(driver, events, mode)
    outcomes = _Batch(targets, {}, outbox).store(driver, transaction, events)
    if outcomes is None:
        first_seqs = [
            {"key_task": task.id, "last_seq": task.last_seq} for task in targets.tasks.values()
        ]
        connection.execute(REMOVE_EVENTS, first_seqs)
        stored = read_stored(connection, events, targets)
        outcomes = _Batch(targets, stored, outbox).store(driver, transaction, events)
        if outcomes is None:
            raise AssertionError("the tasks are locked, and yet others have stored events")
    return outcomes


class _Batch:
    """The events of one transaction, and what they change.

    Args:
        targets: what they concern.
        stored: those of them that are stored already.
        outbox: where notifications go, if there are any.
    """

    def __init__(
        self, targets: Targets, stored: dict[EventKey, EventRow], outbox: Outbox | None
    ) -> None:
        self._targets = targets
        self._outbox = outbox
        self._stored = stored
        self._processes = {
            (process.task_id, process.number): ProcessAccumulator(process)
            for process in targets.processes
        }
        self._before: dict[JobKey, Summary] = {}
        """The jobs as they were."""
        self._jobs: dict[JobKey, Summary] = {}
        """The same jobs, changed."""
        self._last_seq = {task.id: task.last_seq for task in targets.tasks.values()}
        """The number of the last event of each task."""
        self._added: list[EventRow] = []
        """The new events, in order."""
        self._sent: list[tuple[int, Callable[[], int]]] = []
        """Of each part of them that was sent: its size, and what tells how many are written."""
        self._sent_count = 0
        """The size of all of these."""
        self._found: set[EventKey] = set()
        """Events that a former transaction for the same requests has stored."""

    def store(
        self, driver: Driver, transaction: WriteTransaction, events: Sequence[NewEvent]
    ) -> list[Outcome | UserError | None] | None:
        """Store the events, and what they change; what :func:`record` returns.

        None if some of them are stored already: then nothing but the others was written.
        """
        with driver.together() if len(events) > PART else nullcontext():
            results = self._apply(driver, events)
            for key, job in self._jobs.items():
                self._processes[key[:2]].change_job(self._before[key], job)
            processes = {key: process.finish() for key, process in self._processes.items()}
            # In the order of the primary key.
            jobs = [JobRow.of(*job) for job in sorted(self._jobs.items())]
        if not self._added:
            return self._outcomes(results, processes)
        if any(written() < number for number, written in self._sent):
            return None
        targets = self._targets
        changes = [
            (before, after)
            for before, after in zip(targets.processes, processes.values(), strict=True)
            if after is not before
        ]
        changed = [after for _, after in changes]
        last_at = {
            (event.task_id, event.process_number): event.received_at for event in self._added
        }
        samples = Samples((p, last_at[p.task_id, p.number]) for p in changed)
        last_seq = {task_id: self._last_seq[task_id] for task_id, _ in last_at}
        counts = task_counts(targets.tasks, changes, last_seq)
        others = sorted(last_seq.keys() - {row.id for row in counts})
        with driver.together():
            is_complete = self._write(driver, changed, jobs, samples, counts)
            groups = GROUP_PROCESSES.start(driver, [(task_id,) for task_id in others])
            driver.flush()
            # Meanwhile, PostgreSQL writes.
            outcomes = self._outcomes(results, processes)
        if not is_complete():
            return None
        samples.coarsen(transaction.connection)
        totals = sorted(task_totals(groups(), last_seq))
        with driver.together():
            UPDATE_TASKS.start(driver, totals)
            usage = [row for process in self._processes.values() for row in process.usage_rows()]
            ADD_USAGE.start(driver, usage)
        transaction.publish_on_commit(self._changes())
        if self._outbox is not None:
            self._outbox.add_ends(
                transaction.connection, targets.tasks, totals, targets.processes, changed
            )
        return outcomes

    def _apply(
        self, driver: Driver, events: Sequence[NewEvent]
    ) -> list[tuple[EventRow, bool] | UserError | None]:
        """Add the events to their jobs and processes, and begin to write them if they are many.

        For each: the stored event and whether it is a duplicate, or an error; None if its task is
        locked.
        """
        results: list[tuple[EventRow, bool] | UserError | None] = []
        keys = self._targets.job_keys
        for begin in range(0, len(events), PART):
            end = begin + PART
            results += [
                self._add(event, key) if isinstance(key, tuple) else key
                for event, key in zip(events[begin:end], keys[begin:end], strict=True)
            ]
            if len(events) > PART:
                rows = self._added[self._sent_count :]
                self._sent.append((len(rows), INSERT_EVENTS.start(driver, rows)))
                self._sent_count += len(rows)
                driver.flush()
        return results

    def _add(self, event: NewEvent, key: JobKey) -> tuple[EventRow, bool] | UserError:
        task_id, number, index = key
        known = self._stored.get((task_id, event.id))
        if known is not None:
            if (known.process_number, known.job_index) == (number, index):
                return known, not self._is_first(event, known)
            return UserError(
                ErrorCode.EVENT_ID_TAKEN,
                f"Another job of this task has sent an event with the id {event.id}.",
                "id",
            )
        self._last_seq[task_id] = seq = self._last_seq[task_id] + 1
        event_class = event.event_class
        time = event_time(event.sent_at, event.received_at)
        job = self._jobs.get(key) or self._read(key)
        attempt, details = event.attempt, event.details
        if details is not None or job.submissions:
            attempt, details = _place(job, time, attempt, details or {})
        row = EventRow(
            task_id,
            seq,
            event.id,
            number,
            index,
            event_class,
            attempt,
            event.sent_at,
            event.received_at,
            event.progress,
            event.payload,
            event.hostname,
            event.client_address,
            encode_values(details) if details else None,
        )
        occurrence = Occurrence(
            event.id, event_class, time, attempt, event.progress, event.hostname, details
        )
        self._jobs[key] = add(job, occurrence)
        self._processes[task_id, number].add_event(event_class, time, event.id)
        self._stored[task_id, event.id] = row
        self._added.append(row)
        return row, False

    def _read(self, key: JobKey) -> Summary:
        row = self._targets.jobs.get(key)
        job = self._before[key] = EMPTY if row is None else row.summary()
        return job

    def _is_first(self, event: NewEvent, known: EventRow) -> bool:
        """Whether the row was stored for this very event, not for one that came before it."""
        if not event.may_be_stored or known.received_at != event.received_at:
            return False
        key = known.task_id, known.id
        is_first = key not in self._found
        self._found.add(key)
        return is_first

    def _write(
        self,
        driver: Driver,
        changed: Sequence[ProcessRow],
        jobs: Sequence[tuple[Any, ...]],
        samples: Samples,
        counts: Sequence[TaskCounts],
    ) -> Callable[[], bool]:
        """Write what is not sent yet; a function that tells whether none of it was stored."""
        events: Sequence[tuple[Any, ...]] = self._added[self._sent_count :]
        write = WRITE_EVENTS
        if not (
            any(event.details for event in self._added)
            or any(job.details or job.submissions or job.held for job in self._jobs.values())
        ):
            write = WRITE_PLAIN_EVENTS
            events = [event[:PLAIN_EVENT] for event in events]
            jobs = [job[:PLAIN_JOB] for job in jobs]
        rows = (
            events,
            [(p.task_id, p.number, p.name, *process_counters(p)) for p in changed],
            jobs,
            samples.rows,
            counts,
        )
        return write.start(driver, rows)

    def _outcomes(
        self,
        results: Sequence[tuple[EventRow, bool] | UserError | None],
        processes: dict[ProcessKey, ProcessRow],
    ) -> list[Outcome | UserError | None]:
        tasks = self._targets.tasks
        enough = {key: is_enough(process, process) for key, process in processes.items()}
        outcomes: list[Outcome | UserError | None] = []
        for result in results:
            if result is None or isinstance(result, UserError):
                outcomes.append(result)
                continue
            event, duplicate = result
            key = (event.task_id, event.process_number)
            task = tasks[event.task_id].name
            outcomes.append(Outcome(event, duplicate, enough[key], processes[key], task))
        return outcomes

    def _changes(self) -> list[Change]:
        added: dict[int, list[EventRow]] = {}
        for event in self._added:
            added.setdefault(event.task_id, []).append(event)
        return [Change(task_id, new[-1].seq, events=new) for task_id, new in added.items()]


def _place(
    job: Summary, time: datetime, restarts: int, details: dict[str, Any]
) -> tuple[int, dict[str, Any] | None]:
    """The attempt of an event, and its details, which tell how it follows from the restarts."""
    base = job.base(details.get(BATCH_ID), time)
    if base == 0:
        return restarts, details or None
    return min(base + restarts, MAX_ATTEMPT), {**details, BASE: base}

"""Filters of tasks, processes, jobs and events, and the SQL conditions that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, exists, or_, select

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.lifecycle import EventClass, JobState
from lamia_gql.domain.liveness import Liveness
from lamia_gql.domain.progress import Outlook, State
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.storage.glob import Glob
from lamia_gql.storage.glob import matches as matches_glob
from lamia_gql.storage.models import Job, Process, Tag, Task
from lamia_gql.storage.outlooks import has_outlook
from lamia_gql.storage.queries.job_states import is_failed
from lamia_gql.storage.rows import TaskRow, class_mask

T = TypeVar("T")
MAX_VALUES = 100
"""How many values one field of a filter may list."""
MAX_TEXT_LENGTH = 4_096
"""How many characters a text or pattern of a filter may have; SQLite refuses very long ones."""


@dataclass(frozen=True)
class TaskState:
    """A task with everything that a filter of tasks depends on."""

    row: TaskRow
    tags: tuple[str, ...]
    event_classes: int
    """A bit for each class of event that one of its processes has received."""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The texts that are searched, in lower case."""
        row = self.row
        texts = (row.name, row.username, row.comment, row.hostname, *self.tags)
        return tuple(text.lower() for text in texts if text is not None)


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Tasks that meet all of the given conditions.

    :meth:`where` selects stored tasks and :meth:`matches` changed ones, by the same rules.
    """

    names: tuple[str, ...] | None = None
    """Patterns, any of which matches: ``*`` is any text, ``?`` any one character."""
    usernames: tuple[str, ...] | None = None
    tags_any: tuple[str, ...] | None = None
    tags_all: tuple[str, ...] | None = None
    states: tuple[State, ...] | None = None
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None
    finished_after: datetime | None = None
    finished_before: datetime | None = None
    text: str | None = None
    has_event_class: tuple[EventClass, ...] | None = None
    outlooks: tuple[Outlook, ...] | None = None
    hostnames: tuple[str, ...] | None = None
    """Hosts, on one of which a job ended without success."""
    message: str | None = None
    """A text that the message of a job contains that ended without success; case is ignored."""

    @property
    def is_by_jobs(self) -> bool:
        """Whether jobs decide: then :meth:`matches` cannot tell."""
        return any(each is not None for each in (self.outlooks, self.hostnames, self.message))

    def where(self) -> list[ColumnElement[bool]]:
        """The SQL conditions; an empty filter matches every task that is not deleted."""
        found: list[ColumnElement[bool]] = [Task.deleted_at.is_(None)]
        if self.names is not None:
            found.append(or_(False, *(_matches(Task.name, name) for name in self.names)))
        if self.usernames is not None:
            found.append(Task.username.in_(self.usernames))
        if self.tags_any is not None:
            found.append(_has_tag(Tag.name.in_(self.tags_any)))
        found.extend(_has_tag(Tag.name == tag) for tag in dict.fromkeys(self.tags_all or ()))
        if self.states is not None:
            found.append(Task.state.in_(self.states))
        for column, after, before in (
            (Task.submitted_at, self.submitted_after, self.submitted_before),
            (Task.finished_at, self.finished_after, self.finished_before),
        ):
            if after is not None:
                found.append(column >= after)
            if before is not None:
                found.append(column < before)
        for word in self.searched:
            texts = (Task.name, Task.username, Task.comment, Task.hostname)
            found.append(
                or_(
                    *(text.icontains(word, autoescape=True) for text in texts),
                    _has_tag(Tag.name.icontains(word, autoescape=True)),
                )
            )
        if self.has_event_class is not None:
            mask = class_mask(self.has_event_class)
            found.append(
                exists(
                    select(Process.number).where(
                        Process.task_id == Task.id, Process.event_classes.bitwise_and(mask) != 0
                    )
                )
            )
        if self.outlooks is not None:
            found.append(has_outlook(self.outlooks))
        if self.hostnames is not None:
            found.append(_has_failure(Job.seen_hostname.in_(self.hostnames)))
        if self.message is not None:
            found.append(_has_failure(Job.message.icontains(self.message, autoescape=True)))
        return found

    @property
    def searched(self) -> list[str]:
        """The words of the text, all of which are searched for."""
        return list(dict.fromkeys((self.text or "").split()))

    def matches(self, task: TaskState) -> bool:
        """Whether a task meets the conditions, of which none is on jobs."""
        row = task.row
        return (
            (self.states is None or row.state in self.states)
            and (self.usernames is None or row.username in self.usernames)
            and (self.names is None or any(matches_glob(row.name, name) for name in self.names))
            and (self.tags_any is None or any(tag in task.tags for tag in self.tags_any))
            and (self.tags_all is None or all(tag in task.tags for tag in self.tags_all))
            and _is_within(row.submitted_at, self.submitted_after, self.submitted_before)
            and _is_within(row.finished_at, self.finished_after, self.finished_before)
            and all(any(word.lower() in text for text in task.words) for word in self.searched)
            and (
                self.has_event_class is None
                or task.event_classes & class_mask(self.has_event_class) != 0
            )
        )


@dataclass(frozen=True, slots=True)
class ProcessFilter:
    """Processes of a task that meet all of the given conditions."""

    names: tuple[str, ...] | None = None
    states: tuple[State, ...] | None = None
    has_event_class: tuple[EventClass, ...] | None = None

    def where(self, process: Any) -> list[ColumnElement[bool]]:
        """The SQL conditions on ``process``: the table, or an alias of it."""
        found: list[ColumnElement[bool]] = []
        if self.names is not None:
            found.append(or_(False, *(_matches(process.name, name) for name in self.names)))
        if self.states is not None:
            found.append(process.state.in_(self.states))
        if self.has_event_class is not None:
            found.append(process.event_classes.bitwise_and(class_mask(self.has_event_class)) != 0)
        return found


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Jobs of an array that meet all of the given conditions."""

    states: tuple[JobState, ...] | None = None
    liveness: Liveness | None = None
    hostnames: tuple[str, ...] | None = None
    exit_codes: tuple[int, ...] | None = None
    signals: tuple[str, ...] | None = None
    message: str | None = None
    """A text that the message contains; case is ignored."""
    batch_ids: tuple[str, ...] | None = None
    exactly: tuple[tuple[str, int | str | None], ...] | None = None
    """Columns and their values; None for jobs that have none."""

    @property
    def details(self) -> JobFilter:
        """The conditions on what jobs have told, without those on state and liveness."""
        return replace(self, states=None, liveness=None)

    @property
    def is_by_details(self) -> bool:
        """Whether there are such conditions. No PENDING job meets them."""
        return self.details != JobFilter()

    def where(self, job: Any) -> list[ColumnElement[bool]]:
        """The SQL conditions on what jobs have told; ``job`` is the table, or an alias of it."""
        found: list[ColumnElement[bool]] = [
            column.in_(values)
            for column, values in (
                (job.seen_hostname, self.hostnames),
                (job.exit_code, self.exit_codes),
                (job.signal, self.signals),
                (job.batch_id, self.batch_ids),
            )
            if values is not None
        ]
        if self.message is not None:
            found.append(job.message.icontains(self.message, autoescape=True))
        for name, value in self.exactly or ():
            column = getattr(job, name)
            found.append(column.is_(None) if value is None else column == value)
        return found


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Events that meet all of the given conditions."""

    classes: tuple[EventClass, ...] | None = None
    process_number: int | None = None
    job_index: int | None = None

    def where(self, event: Any) -> list[ColumnElement[bool]]:
        """The SQL conditions on ``event``: the table, or an alias of it."""
        found: list[ColumnElement[bool]] = []
        if self.classes is not None:
            found.append(event.event_class.in_(self.classes))
        if self.process_number is not None:
            found.append(event.process_number == self.process_number)
        if self.job_index is not None:
            found.append(event.job_index == self.job_index)
        return found


def choices(values: Sequence[T] | None, field: str) -> tuple[T, ...] | None:
    """The values of one field of a filter, without texts that no row can contain.

    Raises :class:`RequestError` for too many values, or for a text that is too long.
    """
    if values is None:
        return None
    if len(values) > MAX_VALUES:
        raise RequestError(
            ErrorCode.ARGUMENT_INVALID, f"{field} lists more than {MAX_VALUES} values."
        )
    texts = [value for value in values if isinstance(value, str)]
    check_length(max(texts, key=len, default=""), field)
    return tuple(v for v in values if not isinstance(v, str) or is_storable(v))


def check_length(text: str, field: str) -> None:
    """Raise :class:`RequestError` for a text that is too long for a filter."""
    if len(text) > MAX_TEXT_LENGTH:
        raise RequestError(
            ErrorCode.ARGUMENT_INVALID,
            f"{field} has a text of more than {MAX_TEXT_LENGTH} characters.",
        )


def _is_within(time: datetime | None, after: datetime | None, before: datetime | None) -> bool:
    if after is None and before is None:
        return True
    return (
        time is not None and (after is None or time >= after) and (before is None or time < before)
    )


def _has_tag(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(Tag.name).where(and_(Tag.task_id == Task.id, condition)))


def _has_failure(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(
        select(Job.job_index)
        .where(Job.task_id == Task.id, is_failed(Job), condition)
        .correlate(Task)
    )


def _matches(column: Any, pattern: str) -> ColumnElement[bool]:
    if "*" in pattern or "?" in pattern:
        return Glob(column, pattern)
    return and_(column == pattern)

"""What clients hand in: filters, orders, and the inputs of mutations."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.lifecycle import EventClass, JobState
from lamia_gql.domain.progress import Liveness, State
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.storage import filters
from lamia_gql.storage.filters import check_length, choices
from lamia_gql.storage.queries import tasks
from lamia_gql.storage.queries.tasks import Direction, TaskOrderField


def _utc(time: datetime | None, field: str) -> datetime | None:
    if time is None:
        return None
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise RequestError(
            ErrorCode.ARGUMENT_INVALID, f"{field} lies outside of the calendar."
        ) from None


@strawberry.input(description="A span of time; an end that is left out is open.")
class TimeWindow:
    """A half-open span of time."""

    after: datetime | None = strawberry.field(default=None, description="From this moment on.")
    before: datetime | None = strawberry.field(
        default=None, description="Up to this moment, without it."
    )


@strawberry.input(description="Which tasks are wanted: those for which all that is given holds.")
class TaskFilter:
    """The input for :class:`lamia_gql.storage.filters.TaskFilter`."""

    names: list[str] | None = strawberry.field(
        default=None,
        description="One of these patterns fits the name: `*` is any text, `?` one character.",
    )
    usernames: list[str] | None = strawberry.field(
        default=None, description="Submitted by one of these users."
    )
    tags_any: list[str] | None = strawberry.field(
        default=None, description="With at least one of these tags."
    )
    tags_all: list[str] | None = strawberry.field(
        default=None, description="With every one of these tags."
    )
    states: list[State] | None = strawberry.field(
        default=None, description="In one of these states."
    )
    submitted: TimeWindow | None = strawberry.field(
        default=None, description="Submitted in this span."
    )
    finished: TimeWindow | None = strawberry.field(
        default=None, description="Finished in this span."
    )
    text: str | None = strawberry.field(
        default=None,
        description="With this text, in any case, in the name, user, comment, host or a tag.",
    )
    has_event_class: list[EventClass] | None = strawberry.field(
        default=None, description="With at least one event of one of these classes."
    )

    def parse(self) -> filters.TaskFilter:
        """The filter. Raises :class:`RequestError`."""
        submitted, finished = self.submitted or TimeWindow(), self.finished or TimeWindow()
        if self.text is not None and not is_storable(self.text):
            raise RequestError(ErrorCode.ARGUMENT_INVALID, "filter.text is not a text.")
        check_length(self.text or "", "filter.text")
        return filters.TaskFilter(
            names=choices(self.names, "filter.names"),
            usernames=choices(self.usernames, "filter.usernames"),
            tags_any=choices(self.tags_any, "filter.tagsAny"),
            tags_all=choices(self._all_tags(), "filter.tagsAll"),
            states=choices(self.states, "filter.states"),
            submitted_after=_utc(submitted.after, "filter.submitted.after"),
            submitted_before=_utc(submitted.before, "filter.submitted.before"),
            finished_after=_utc(finished.after, "filter.finished.after"),
            finished_before=_utc(finished.before, "filter.finished.before"),
            text=self.text,
            has_event_class=choices(self.has_event_class, "filter.hasEventClass"),
        )

    def _all_tags(self) -> list[str] | None:
        # One that can't be stored must still be missing everywhere, as the empty tag is.
        if self.tags_all is None:
            return None
        return [tag if is_storable(tag) else "" for tag in self.tags_all]


@strawberry.input(description="The order of tasks; equal ones go by their creation, the same way.")
class TaskOrder:
    """The input for :class:`lamia_gql.storage.queries.tasks.TaskOrder`."""

    field: TaskOrderField = strawberry.field(
        default=TaskOrderField.RECEIVED_AT, description="What to order by."
    )
    direction: Direction = strawberry.field(default=Direction.DESC, description="Which way.")

    def parse(self) -> tasks.TaskOrder:
        """The order."""
        # Strawberry hands over enums of literals as plain text.
        return tasks.TaskOrder(TaskOrderField(self.field), Direction(self.direction))


@strawberry.input(description="Which processes are wanted: those for which all given holds.")
class ProcessFilter:
    """The input for :class:`lamia_gql.storage.filters.ProcessFilter`."""

    names: list[str] | None = strawberry.field(
        default=None,
        description="One of these patterns fits the name: `*` is any text, `?` one character.",
    )
    states: list[State] | None = strawberry.field(
        default=None, description="In one of these states."
    )
    has_event_class: list[EventClass] | None = strawberry.field(
        default=None, description="With at least one event of one of these classes."
    )

    def parse(self) -> filters.ProcessFilter:
        """The filter. Raises :class:`RequestError`."""
        return filters.ProcessFilter(
            names=choices(self.names, "filter.names"),
            states=choices(self.states, "filter.states"),
            has_event_class=choices(self.has_event_class, "filter.hasEventClass"),
        )


@strawberry.input(description="Which jobs are wanted: those for which all that is given holds.")
class JobFilter:
    """The input for :class:`lamia_gql.storage.filters.JobFilter`."""

    states: list[JobState] | None = strawberry.field(
        default=None, description="In one of these states."
    )
    liveness: Liveness | None = strawberry.field(
        default=None, description="Running, and heard of, or not, in this way."
    )

    def parse(self) -> filters.JobFilter:
        """The filter. Raises :class:`RequestError`."""
        return job_filter(self.states, self.liveness, "filter.states")


def job_filter(
    states: list[JobState] | None, liveness: Liveness | None, field: str
) -> filters.JobFilter:
    """The filter; its states without repetition. Raises :class:`RequestError`."""
    found = choices(states, field)
    return filters.JobFilter(None if found is None else tuple(sorted(set(found))), liveness)


def event_filter(classes: list[EventClass] | None) -> filters.EventFilter:
    """The filter. Raises :class:`RequestError`."""
    found = choices(classes, "eventClass")
    return filters.EventFilter(None if found is None else tuple(sorted(set(found))))


@strawberry.input(
    description="A process to be made: an array where `jobCount` is given, else solitary."
)
class ProcessInput:
    """The input for :class:`lamia_gql.ingest.tasks.ProcessSpec`."""

    name: str = strawberry.field(description="Its name, unique in the task.")
    job_count: int | None = strawberry.field(
        default=None, description="How many jobs the array has; left out, the process is solitary."
    )
    first_index: int | None = strawberry.field(
        default=None, description="The index of the array's first job: 0 unless said."
    )
    failure_tolerance: int | None = strawberry.field(
        default=None,
        description="How many jobs may end without success before the array fails: 0 unless said.",
    )
    threshold: float | None = strawberry.field(
        default=None,
        description="How much progress is enough: jobs DONE, or the sum of what jobs report.",
    )
    beat_interval: float | None = strawberry.field(
        default=None, description="How often, in seconds, its jobs are expected to give a sign."
    )


@strawberry.input(description="A task to be made, with all its processes.")
class CreateTaskInput:
    """The input for :class:`lamia_gql.ingest.tasks.TaskSpec`."""

    name: str = strawberry.field(description="Its name, unique on this server.")
    processes: list[ProcessInput] = strawberry.field(description="Its processes, at least one.")
    username: str | None = strawberry.field(default=None, description="Who submits it.")
    email: str | None = strawberry.field(default=None, description="Whom to write to about it.")
    comment: str | None = strawberry.field(default=None, description="What it is about.")
    tags: list[str] | None = strawberry.field(
        default=None, description="Words by which it will be found."
    )
    submitted_at: datetime | None = strawberry.field(
        default=None, description="When it was submitted; now, unless said."
    )
    hostname: str | None = strawberry.field(
        default=None, description="The host that it is submitted from, by its own name."
    )
    config: JSON | None = strawberry.field(
        default=None, description="Any JSON that is to be kept with it."
    )
    dependencies: JSON | None = strawberry.field(
        default=None, description="The graph of its processes, in any form: kept, never read."
    )


@strawberry.input(description="Many tasks to be made: all of them or none.")
class CreateTasksInput:
    """Many tasks."""

    tasks: list[CreateTaskInput] = strawberry.field(description="The tasks.")


@strawberry.input(description="What is to be different about a task; what is left out stays.")
class UpdateTaskInput:
    """The input for :class:`lamia_gql.ingest.tasks.TaskEdit`."""

    name: str = strawberry.field(description="The task.")
    username: str | None = strawberry.field(
        default=strawberry.UNSET, description="Who submitted it."
    )
    email: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whom to write to about it."
    )
    comment: str | None = strawberry.field(
        default=strawberry.UNSET, description="What it is about."
    )
    tags: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Words by which it is found: these replace all."
    )
    config: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="Any JSON that is to be kept with it."
    )
    dependencies: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="The graph of its processes: kept, never read."
    )

    def changes(self) -> dict[str, Any]:
        """What was given."""
        given = {
            name: getattr(self, name)
            for name in ("username", "email", "comment", "tags", "config", "dependencies")
            if getattr(self, name) is not strawberry.UNSET
        }
        if given.get("tags", ()) is None:
            given["tags"] = []
        return given


@strawberry.input(description="Processes to be added to a task, which may run already.")
class AddProcessesInput:
    """Processes for a task."""

    task: str = strawberry.field(description="The task.")
    processes: list[ProcessInput] = strawberry.field(description="Its new processes.")


@strawberry.input(description="A task to be deleted, with all its events.")
class DeleteTaskInput:
    """A task's name."""

    name: str = strawberry.field(description="The task.")


@strawberry.input(description="Tasks to be deleted, with all their events, by their names.")
class DeleteTasksInput:
    """Names of tasks."""

    names: list[str] = strawberry.field(description="The tasks; those that are not there count 0.")


@strawberry.input(description="An event of a job.")
class SubmitEventInput:
    """The input for :func:`lamia_gql.ingest.event_input.check_event`."""

    task: str = strawberry.field(description="The task.")
    process: str = strawberry.field(description="The process of the task.")
    event_class: EventClass = strawberry.field(description="What the job says.")
    id: uuid.UUID | None = strawberry.field(
        default=None,
        description="A UUID of your own: the same event sent again does not count again.",
    )
    index: int | None = strawberry.field(
        default=None, description="Which job: required in an array, forbidden in a solitary one."
    )
    attempt: int | None = strawberry.field(
        default=None, description="How often the job was restarted, where it knows: 0 unless said."
    )
    progress: float | None = strawberry.field(
        default=None,
        description=(
            "How far the job is: percent without a threshold, any number with one. Never negative."
        ),
    )
    payload: JSON | None = strawberry.field(default=None, description="Any JSON to be kept.")
    sent_at: datetime | None = strawberry.field(
        default=None, description="When it happened, by the job's clock; without a zone, in UTC."
    )
    hostname: str | None = strawberry.field(
        default=None, description="The host that the job runs on, by its own name."
    )


@strawberry.input(description="Events of any jobs, in one request.")
class SubmitEventsInput:
    """Many events."""

    events: list[SubmitEventInput] = strawberry.field(description="The events.")

"""Input types for what to select: filters and orders."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import strawberry

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.lifecycle import FAILURES, EventClass, JobState
from lamia_gql.domain.liveness import Liveness
from lamia_gql.domain.progress import Outlook, State
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.domain.time_zones import in_utc
from lamia_gql.graph.types.failure_cause import FailureCause
from lamia_gql.storage import filters
from lamia_gql.storage.filters import check_length, choices
from lamia_gql.storage.queries import tasks
from lamia_gql.storage.queries.tasks import Direction, TaskOrderField

NAME_PATTERNS = (
    "The name matches one of these patterns: `*` stands for any text, `?` for any one character."
    " Case matters."
)
MAX_WORDS = 20


def _utc(time: datetime | None, field: str) -> datetime | None:
    if time is None:
        return None
    try:
        return in_utc(time)
    except OverflowError:
        raise RequestError(
            ErrorCode.ARGUMENT_INVALID, f"{field} is outside the calendar."
        ) from None


def _check_text(text: str | None, field: str) -> None:
    check_length(text or "", field)
    if text is not None and not is_storable(text):
        raise RequestError(
            ErrorCode.ARGUMENT_INVALID, f"{field} has characters that cannot be stored."
        )


@strawberry.input(description="A time span. Without `after` or `before` it is open on that side.")
class TimeWindow:
    """A half-open time span."""

    after: datetime | None = strawberry.field(default=None, description="At or after this time.")
    before: datetime | None = strawberry.field(default=None, description="Before this time.")


@strawberry.input(description="Selects tasks. A task must match every field that is given.")
class TaskFilter:
    """The input from which :class:`lamia_gql.storage.filters.TaskFilter` is made."""

    names: list[str] | None = strawberry.field(
        default=None,
        description=NAME_PATTERNS,
    )
    usernames: list[str] | None = strawberry.field(
        default=None, description="The user is one of these."
    )
    tags_any: list[str] | None = strawberry.field(
        default=None, description="The task has at least one of these tags."
    )
    tags_all: list[str] | None = strawberry.field(
        default=None, description="The task has all of these tags."
    )
    states: list[State] | None = strawberry.field(
        default=None, description="The state is one of these."
    )
    submitted: TimeWindow | None = strawberry.field(
        default=None, description="`submittedAt` is in this time span."
    )
    finished: TimeWindow | None = strawberry.field(
        default=None, description="`finishedAt` is in this time span."
    )
    text: str | None = strawberry.field(
        default=None,
        description=(
            "Each word of this text is in the name, the user, the comment, the host name or a tag;"
            " case is ignored. At most 20 words."
        ),
    )
    has_event_class: list[EventClass] | None = strawberry.field(
        default=None, description="There is at least one event of one of these classes."
    )
    outlooks: list[Outlook] | None = strawberry.field(
        default=None, description="The outlook is one of these. Not in subscriptions."
    )
    hostnames: list[str] | None = strawberry.field(
        default=None,
        description="A job ended without success on one of these hosts. Not in subscriptions.",
    )
    message: str | None = strawberry.field(
        default=None,
        description=(
            "The message of a job that ended without success contains this text; case is ignored."
            " Not in subscriptions."
        ),
    )

    def parse(self) -> filters.TaskFilter:
        """The filter for queries. Raises :class:`RequestError`."""
        submitted, finished = self.submitted or TimeWindow(), self.finished or TimeWindow()
        _check_text(self.text, "filter.text")
        _check_text(self.message, "filter.message")
        if len((self.text or "").split()) > MAX_WORDS:
            raise RequestError(
                ErrorCode.ARGUMENT_INVALID, f"filter.text has more than {MAX_WORDS} words."
            )
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
            outlooks=choices(self.outlooks, "filter.outlooks"),
            hostnames=choices(self.hostnames, "filter.hostnames"),
            message=self.message,
        )

    def parse_for_changes(self) -> filters.TaskFilter:
        """The filter for subscriptions. Raises :class:`RequestError`."""
        found = self.parse()
        if found.is_by_jobs:
            raise RequestError(
                ErrorCode.ARGUMENT_INVALID,
                "A subscription can't filter by outlooks, hostnames or message: use them in a"
                " query, and watch the tasks that it finds by their names.",
            )
        return found

    def _all_tags(self) -> list[str] | None:
        # A tag that cannot be stored matches no task, just as the empty tag.
        if self.tags_all is None:
            return None
        return [tag if is_storable(tag) else "" for tag in self.tags_all]


@strawberry.input(
    description="An order of tasks. Ties are ordered by creation, in the same direction."
)
class TaskOrder:
    """The input from which :class:`lamia_gql.storage.queries.tasks.TaskOrder` is made."""

    field: TaskOrderField = strawberry.field(
        default=TaskOrderField.RECEIVED_AT, description="What to order by."
    )
    direction: Direction = strawberry.field(
        default=Direction.DESC, description="Ascending or descending."
    )

    def parse(self) -> tasks.TaskOrder:
        """The order for queries."""
        # Strawberry passes enum literals in documents as plain strings.
        return tasks.TaskOrder(TaskOrderField(self.field), Direction(self.direction))


@strawberry.input(description="Selects processes. A process must match every field that is given.")
class ProcessFilter:
    """The input from which :class:`lamia_gql.storage.filters.ProcessFilter` is made."""

    names: list[str] | None = strawberry.field(
        default=None,
        description=NAME_PATTERNS,
    )
    states: list[State] | None = strawberry.field(
        default=None, description="The state is one of these."
    )
    has_event_class: list[EventClass] | None = strawberry.field(
        default=None, description="There is at least one event of one of these classes."
    )

    def parse(self) -> filters.ProcessFilter:
        """The filter for queries. Raises :class:`RequestError`."""
        return filters.ProcessFilter(
            names=choices(self.names, "filter.names"),
            states=choices(self.states, "filter.states"),
            has_event_class=choices(self.has_event_class, "filter.hasEventClass"),
        )


@strawberry.input(description="Selects jobs. A job must match every field that is given.")
class JobFilter:
    """The input from which :class:`lamia_gql.storage.filters.JobFilter` is made."""

    states: list[JobState] | None = strawberry.field(
        default=None, description="The state is one of these."
    )
    liveness: Liveness | None = strawberry.field(
        default=None, description="The job is RUNNING and has this liveness."
    )
    hostnames: list[str] | None = strawberry.field(
        default=None, description="The host is one of these."
    )
    exit_codes: list[int] | None = strawberry.field(
        default=None, description="The exit code is one of these."
    )
    signals: list[str] | None = strawberry.field(
        default=None, description="The signal is one of these, like `SIGKILL`."
    )
    message: str | None = strawberry.field(
        default=None, description="The message contains this text; case is ignored."
    )
    batch_ids: list[str] | None = strawberry.field(
        default=None, description="The id in the batch system is one of these."
    )
    cause: FailureCause | None = strawberry.field(
        default=None, description="The job ended without success for this cause."
    )

    def parse(self) -> filters.JobFilter:
        """The filter for queries. Raises :class:`RequestError`."""
        found = job_filter(self.states, self.liveness, "filter.states")
        if self.cause is not None:
            states = FAILURES if found.states is None else FAILURES & {*found.states}
            columns = self.cause.parse().columns()
            found = replace(found, states=tuple(sorted(states)), exactly=tuple(columns.items()))
        _check_text(self.message, "filter.message")
        return replace(
            found,
            hostnames=choices(self.hostnames, "filter.hostnames"),
            exit_codes=choices(self.exit_codes, "filter.exitCodes"),
            signals=choices(self.signals, "filter.signals"),
            message=self.message,
            batch_ids=choices(self.batch_ids, "filter.batchIds"),
        )


def job_filter(
    states: list[JobState] | None, liveness: Liveness | None, field: str
) -> filters.JobFilter:
    """The filter for jobs; ``field`` names the states in errors. Raises :class:`RequestError`."""
    found = choices(states, field)
    return filters.JobFilter(None if found is None else tuple(sorted(set(found))), liveness)


def event_filter(classes: list[EventClass] | None) -> filters.EventFilter:
    """The filter for events of these classes. Raises :class:`RequestError`."""
    found = choices(classes, "eventClass")
    return filters.EventFilter(None if found is None else tuple(sorted(set(found))))

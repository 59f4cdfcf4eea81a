"""Input types of the mutations that submit events."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.event_input import NewEvent, check_event


@strawberry.input(description="What a job has used, and what it was given. Omit what is not known.")
class UsageInput:
    """The input of ``usage``: numbers that are finite and not negative."""

    cpu_seconds: float | None = strawberry.field(
        default=None, description="CPU time of all its processes, in seconds."
    )
    wall_seconds: float | None = strawberry.field(
        default=None, description="Time since its start, in seconds."
    )
    max_rss_bytes: float | None = strawberry.field(
        default=None, description="Largest resident memory, in bytes."
    )
    read_bytes: float | None = strawberry.field(default=None, description="Bytes read.")
    write_bytes: float | None = strawberry.field(default=None, description="Bytes written.")
    cpus: float | None = strawberry.field(
        default=None, description="Number of CPUs that the job was given."
    )
    requested_memory_bytes: float | None = strawberry.field(
        default=None, description="Memory that was requested for the job, in bytes."
    )


@strawberry.input(description="An event of a job, to be stored.")
class SubmitEventInput:
    """The input from which :class:`lamia_gql.ingest.event_input.NewEvent` is made."""

    task: str = strawberry.field(description="Name of the task.")
    process: str = strawberry.field(description="Name of the process in the task.")
    event_class: EventClass = strawberry.field(description="What the event reports.")
    uuid: UUID | None = strawberry.field(
        default=None,
        description=(
            "UUID of the event, chosen by the client. If an event with this UUID is already"
            " stored, it is not stored again, so a client can safely retry. Defaults to a random"
            " UUID."
        ),
    )
    id: UUID | None = strawberry.field(
        default=None,
        description="The former name of `uuid`. Give only one of them.",
        deprecation_reason="Use `uuid`, as the field of `Event` is named.",
    )
    index: int | None = strawberry.field(
        default=None,
        description="Index of the job. Required for arrays, not allowed for solitary processes.",
    )
    attempt: int | None = strawberry.field(
        default=None,
        description="How many times the batch system has restarted the job. Defaults to 0.",
    )
    progress: float | None = strawberry.field(
        default=None,
        description=(
            "Progress of the job, not negative: percent if the process has no threshold, else a"
            " number in the unit of the threshold. An event of any class may have one."
        ),
    )
    payload: JSON | None = strawberry.field(default=None, description="Arbitrary JSON to store.")
    sent_at: datetime | None = strawberry.field(
        default=None,
        description=(
            "When the event happened, by the job's clock. A time without an offset is taken as UTC."
            " If omitted, the time of receipt counts."
        ),
    )
    hostname: str | None = strawberry.field(default=None, description="Host that the job runs on.")
    exit_code: int | None = strawberry.field(
        default=None, description="Exit code with which the job ended."
    )
    signal: str | None = strawberry.field(
        default=None,
        description="Name of the signal that ended the job, like `SIGKILL`; at most 32 characters.",
    )
    message: str | None = strawberry.field(
        default=None,
        description="Why the job ended or is held, for people; at most 1024 bytes of UTF-8.",
    )
    batch_id: str | None = strawberry.field(
        default=None,
        description=(
            "Id of the job in its batch system, like `1234_7` or `57.3`; at most 255 characters."
            " Each submission has its own: a later one overrules an earlier one, whatever restarts"
            " `attempt` counts."
        ),
    )
    usage: UsageInput | None = strawberry.field(
        default=None, description="What the job has used so far, as far as it is known."
    )

    def given_uuid(self) -> UUID | None:
        """The UUID under either name. Raises :class:`UserError` if there is one under each."""
        if self.uuid is not None and self.id is not None:
            raise UserError(
                ErrorCode.ARGUMENT_INVALID, "Give `uuid` only: `id` is its former name.", "id"
            )
        return self.id if self.uuid is None else self.uuid

    def check(
        self, settings: Settings, received_at: datetime, client_address: str | None
    ) -> NewEvent | UserError:
        """The event, or what is wrong with it."""
        try:
            return check_event(
                settings,
                task=self.task,
                process=self.process,
                # Strawberry passes enum literals in documents as plain strings.
                event_class=EventClass(self.event_class),
                received_at=received_at,
                index=self.index,
                id=self.given_uuid(),
                attempt=self.attempt or 0,
                sent_at=self.sent_at,
                progress=self.progress,
                payload=self.payload,
                hostname=self.hostname,
                client_address=client_address,
                exit_code=self.exit_code,
                signal=self.signal,
                message=self.message,
                batch_id=self.batch_id,
                usage=None if self.usage is None else vars(self.usage),
            )
        except UserError as error:
            return error


@strawberry.input(description="Events of any jobs, to be stored in one request.")
class SubmitEventsInput:
    """The input of ``submitEvents``."""

    events: list[SubmitEventInput] = strawberry.field(description="The events to store.")

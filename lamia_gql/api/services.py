"""The services of the application, shared by GraphQL and REST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lamia_gql.domain.errors import ErrorCode, OutcomeUnknown, UserError
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.purger import Purger
from lamia_gql.ingest.recorder import Recorder
from lamia_gql.ingest.tasks import delete_tasks
from lamia_gql.live.feeds import Feeds
from lamia_gql.live.live_connections import LiveConnections
from lamia_gql.live.subscription_limit import SubscriptionLimit
from lamia_gql.live.task_watches import TaskWatches
from lamia_gql.storage.database import Database
from lamia_gql.storage.rows import TaskRow


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that lives as long as the application; every request gets it."""

    settings: Settings
    database: Database
    recorder: Recorder
    purger: Purger
    feeds: Feeds
    live_connections: LiveConnections
    task_watches: TaskWatches
    subscriptions: SubscriptionLimit

    def check_number_of_events(self, number: int) -> None:
        """Raise :class:`UserError` if one request submits too many events."""
        limit = self.settings.max_events_per_request
        if number > limit:
            raise UserError(
                ErrorCode.TOO_MANY,
                f"{number} events; the server takes at most {limit} in one request.",
                "events",
            )

    async def record_events(
        self, events: Sequence[NewEvent | UserError]
    ) -> list[Outcome | UserError]:
        """Store the valid events of one request.

        ``events`` holds an error in place of each invalid event. The result has an outcome or an
        error for each event, in the same order. Raises :class:`Unavailable` if nothing was stored.
        """
        valid = [event for event in events if isinstance(event, NewEvent)]
        outcomes = iter(await self.recorder.record(valid))
        return [next(outcomes) if isinstance(event, NewEvent) else event for event in events]

    async def delete_tasks(self, names: Sequence[str]) -> list[TaskRow]:
        """Soft-delete the tasks with these names, and return those that existed.

        Raises :class:`InvalidInput` and :class:`Unavailable`.
        """
        now = datetime.now(UTC)
        try:
            deleted = await self.database.write(
                lambda c: delete_tasks(c, self.settings, names, now)
            )
        except OutcomeUnknown:
            self.purger.wake()
            raise
        if deleted:
            self.purger.wake()
        return deleted

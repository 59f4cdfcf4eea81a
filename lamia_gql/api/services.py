"""What lives as long as the server, and what its doors do with it alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.purger import Purger
from lamia_gql.ingest.recorder import Recorder
from lamia_gql.ingest.tasks import delete_tasks
from lamia_gql.live.feeds import Feeds
from lamia_gql.live.live_connections import LiveConnections
from lamia_gql.storage.database import Database
from lamia_gql.storage.rows import TaskRow


@dataclass(frozen=True, slots=True)
class Services:
    """Born in the lifespan, and handed to every request."""

    settings: Settings
    database: Database
    recorder: Recorder
    purger: Purger
    feeds: Feeds
    live_connections: LiveConnections

    def check_number_of_events(self, number: int) -> None:
        """Raise :class:`UserError` for more events than one request may submit."""
        limit = self.settings.max_events_per_request
        if number > limit:
            raise UserError(
                ErrorCode.TOO_MANY,
                f"{number} events; the server takes at most {limit} in one request.",
                "events",
            )

    async def record(self, events: Sequence[NewEvent | UserError]) -> list[Outcome | UserError]:
        """Store those events of one request that are sound; one outcome or error each, in order.

        Raises :class:`Unavailable`, with nothing stored.
        """
        sound = [event for event in events if isinstance(event, NewEvent)]
        outcomes = iter(await self.recorder.record(sound))
        return [next(outcomes) if isinstance(event, NewEvent) else event for event in events]

    async def delete(self, names: Sequence[str]) -> list[TaskRow]:
        """Take tasks away from everybody's sight; those that there are.

        Raises :class:`InvalidInput` and :class:`Unavailable`.
        """
        now = datetime.now(UTC)
        gone = await self.database.write(lambda c: delete_tasks(c, self.settings, names, now))
        if gone:
            self.purger.wake()
        return gone

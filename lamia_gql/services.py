"""What lives as long as the server, and what its doors do with it alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lamia_gql.batch import Outcome
from lamia_gql.database import Database
from lamia_gql.errors import ErrorCode, UserError
from lamia_gql.events import NewEvent
from lamia_gql.live import Live
from lamia_gql.recorder import Recorder
from lamia_gql.records import TaskRecord
from lamia_gql.sessions import Sessions
from lamia_gql.settings import Settings
from lamia_gql.sweeper import Sweeper
from lamia_gql.tasks import delete_tasks


@dataclass(frozen=True, slots=True)
class Services:
    """Born in the lifespan, and handed to every request."""

    settings: Settings
    database: Database
    recorder: Recorder
    sweeper: Sweeper
    live: Live
    sessions: Sessions

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

    async def delete(self, names: Sequence[str]) -> list[TaskRecord]:
        """Take tasks away from everybody's sight; those that there are.

        Raises :class:`Refused` and :class:`Unavailable`.
        """
        now = datetime.now(UTC)
        gone = await self.database.write(lambda c: delete_tasks(c, self.settings, names, now))
        if gone:
            self.sweeper.wake()
        return gone

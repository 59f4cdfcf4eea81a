"""The services of the application, shared by GraphQL and REST."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from lamia_gql.api.answer_budget import AnswerBudget, AnswerMemory
from lamia_gql.api.cost_gate import CostGate
from lamia_gql.api.turns import Turns
from lamia_gql.domain.errors import OutcomeUnknown, UserError
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.purger import Purger
from lamia_gql.ingest.recorder import Recorder
from lamia_gql.ingest.task_input import check_number
from lamia_gql.ingest.tasks import Work, delete_tasks
from lamia_gql.live.feeds import Feeds
from lamia_gql.live.live_connections import LiveConnections
from lamia_gql.live.subscription_limit import SubscriptionLimit
from lamia_gql.live.task_watches import TaskWatches
from lamia_gql.storage.database import Database
from lamia_gql.storage.rows import TaskRow

T = TypeVar("T")


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
    cost_gate: CostGate
    answer_memory: AnswerMemory
    turns: Turns

    def answer_budget(self) -> AnswerBudget:
        """What one answer may take."""
        settings = self.settings
        return AnswerBudget(
            settings.max_response_bytes, settings.max_cost, self.answer_memory, self.turns
        )

    def check_number_of_events(self, number: int) -> None:
        """Raise :class:`UserError` if one request submits too many events."""
        check_number(number, self.settings.max_events_per_request, "events")

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

    async def change_tasks(self, prepare: Callable[[], Work[T]]) -> T:
        """Check an operation on tasks, which ``prepare`` does, then run it in a transaction.

        The checks run in a thread: those of a large request take longer than others should wait.
        Raises :class:`InvalidInput`, :class:`Unavailable`, and what ``prepare`` raises.
        """
        return await self.database.write(await asyncio.to_thread(prepare))

    async def delete_tasks(self, names: Sequence[str]) -> list[TaskRow]:
        """Soft-delete the tasks with these names, and return those that existed.

        Raises :class:`InvalidInput` and :class:`Unavailable`.
        """
        now = datetime.now(UTC)
        try:
            deleted = await self.database.write(delete_tasks(self.settings, names, now))
        except OutcomeUnknown:
            self.purger.wake()
            raise
        if deleted:
            self.purger.wake()
        return deleted

"""The services of the application, shared by GraphQL and REST."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from lamia_gql.access.authentication import Authentication
from lamia_gql.api.answer_budget import AnswerBudget, AnswerMemory
from lamia_gql.api.audit import Action, audit
from lamia_gql.api.cost_gate import CostGate
from lamia_gql.api.rate_limits import Client, RateLimits
from lamia_gql.api.request_statistics import RequestStatistics
from lamia_gql.api.request_turns import RequestTurns
from lamia_gql.api.turns import Turns
from lamia_gql.domain.access import Principal
from lamia_gql.domain.errors import AccessDenied, ErrorCode, OutcomeUnknown, UserError
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

ROOM_WAIT_S = 0.25
"""How long a request waits at most until its events may wait for their commit."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that lives as long as the application; every request gets it."""

    settings: Settings
    authentication: Authentication
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
    request_turns: RequestTurns
    rates: RateLimits
    requests: RequestStatistics

    def answer_budget(self) -> AnswerBudget:
        """What one answer may take."""
        settings = self.settings
        return AnswerBudget(
            settings.max_response_bytes, settings.max_cost, self.answer_memory, self.turns
        )

    def check_number_of_events(self, number: int) -> None:
        """Raise :class:`UserError` if one request submits too many events."""
        check_number(number, self.settings.max_events_per_request, "events")

    async def wait_for_room(self, principal: Principal, address: str | None, events: int) -> None:
        """Wait a moment if so many events of this client can't be stored now.

        Raises :class:`Unavailable` if they can't then, either. To be awaited before they are
        decoded, which takes much longer than to refuse them. Whoever tries again at once is slowed
        down by it, so that the server has time to store what waits.
        """
        client = Client.of(principal, address)
        if not self.recorder.has_room(client, events):
            await asyncio.sleep(ROOM_WAIT_S)
            self.recorder.require_room(client, events)

    async def record_events(
        self, principal: Principal, address: str | None, events: Sequence[NewEvent | UserError]
    ) -> list[Outcome | UserError]:
        """Store the valid events of one request.

        ``events`` holds an error in place of each invalid event. The result has an outcome or an
        error for each event, in the same order. Raises :class:`Unavailable` if nothing was stored,
        also as :class:`RateExceeded`, and :class:`AccessDenied` if the principal may not submit
        events, or its token was revoked.
        """
        principal.require_submitting()
        client = Client.of(principal, address)
        self.rates.events.take(client, len(events))
        valid = [event for event in events if isinstance(event, NewEvent)]
        self.recorder.invalid += len(events) - len(valid)
        if not principal.is_admin:
            for event in valid:
                event.principal = principal
        outcomes = iter(await self.recorder.record(valid, client))
        # One commit answers up to a thousand requests.
        await self.request_turns.take(client)
        results = [next(outcomes) if isinstance(event, NewEvent) else event for event in events]
        if principal.grant is not None:
            for result in results:
                # The client must keep its events, and may send them again with another token.
                if isinstance(result, UserError) and result.code is ErrorCode.UNAUTHENTICATED:
                    raise AccessDenied(result.code, result.message)
        return results

    async def change_tasks(self, principal: Principal, prepare: Callable[[], Work[T]]) -> T:
        """Check an operation on tasks, which ``prepare`` does, then run it in a transaction.

        The checks run in a thread: those of a large request take longer than others should wait.
        Raises :class:`AccessDenied`, :class:`InvalidInput`, :class:`Unavailable`, and what
        ``prepare`` raises.
        """
        principal.require_changing()
        return await self.database.write(await asyncio.to_thread(prepare))

    async def delete_tasks(
        self, principal: Principal, address: str | None, names: Sequence[str]
    ) -> list[TaskRow]:
        """Soft-delete the tasks with these names, and return those that existed.

        Raises :class:`AccessDenied`, :class:`InvalidInput` and :class:`Unavailable`.
        """
        principal.require_changing()
        now = datetime.now(UTC)
        try:
            deleted = await self.database.write(delete_tasks(self.settings, names, now, principal))
        except OutcomeUnknown:
            self.purger.wake()
            raise
        audit(principal, address, Action.DELETE_TASK, [task.name for task in deleted])
        if deleted:
            self.purger.wake()
        return deleted

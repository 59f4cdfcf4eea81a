"""The context of one operation, which every resolver gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import strawberry

from lamia_gql.api.answer_budget import AnswerBudget
from lamia_gql.api.services import Services
from lamia_gql.domain.access import Principal
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.loaders import Loaders
from lamia_gql.live.pubsub import Subscriber
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.operation_reads import OperationReads, Snapshot
from lamia_gql.storage.read_sources import Freshness, Wanted
from lamia_gql.storage.rows import EventRow


@dataclass(frozen=True, slots=True)
class WatchedTasks:
    """The tasks of a subscription that asked for them by name."""

    ids: Mapping[str, int]
    """Their ids by name, at the start of the subscription."""
    resend_all: Callable[[], None]
    """Has a snapshot of every task sent again."""


@dataclass(slots=True)
class Context:
    """What belongs to one operation: the services, the present time, its reads and loaders."""

    services: Services
    principal: Principal
    """Who asks."""
    client_address: str | None = None
    wanted: Wanted = Freshness.PRIMARY
    """What the plan of a query must see. Whatever is resolved field by field sees the primary."""
    has_written: bool = False
    """Whether it is a mutation."""
    clock_offset: timedelta | None = None
    """What to add to the client's times, if its clock is wrong."""
    last_event_id: str | None = None
    """The cursor from which an SSE client resumes."""
    cursor: str | None = None
    """The cursor of the latest item of a subscription that can be resumed."""
    seq: int = 0
    """The number of the latest event of a subscription to events."""
    task_id: int | None = None
    """The id of the latest task of a subscription to tasks."""
    watched: WatchedTasks | None = None
    cost: int = 0
    """The cost of the operation."""
    plan: Callable[[Any], Awaitable[dict[str, Any] | None]] | None = None
    """From what a subscription yields to the data of its result; None where it must be resolved."""
    join: Callable[[int, EventFilter], Awaitable[None]] | None = None
    """Follows the new events of a task. A subscription calls it before the last past events are
    read, and ends after these."""
    new_events: Subscriber[EventRow] | None = None
    """In the one execution of all who follow new events: these events."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    budget: AnswerBudget = field(init=False)
    """What the answer may take; each result of a subscription anew."""
    reads: OperationReads = field(init=False)
    load: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.budget = self.services.answer_budget()
        self.reads = self._new_reads()
        self.load = self._new_loaders(self.reads.snapshot)

    def begin_again(self) -> None:
        """Read anew what was read so far, and count the answer anew."""
        self.budget.restart()
        self.reads.stop()
        self.reads = self._new_reads()
        self.refresh()

    def refresh(self) -> None:
        """Forget everything that was read, and renew the time: the data changes.

        What is read from now on is of one state of the database, that of the first read.
        """
        self.now = datetime.now(UTC)
        self.load = self._new_loaders(self.reads.renew())

    def end_reads(self) -> None:
        """Hold nothing that was read: the operation waits, perhaps for long.

        It must :meth:`refresh` before it reads again.
        """
        self.reads.end()
        self.load = self._new_loaders(self.reads.snapshot)

    def forget(self) -> None:
        """Forget what was read, and count the answer anew; reads see the same state as before."""
        self.budget.restart()
        self.load = self._new_loaders(self.reads.snapshot)

    def _new_reads(self) -> OperationReads:
        return OperationReads(
            self.services.database,
            self.settings.max_operation_time,
            self.client_address,
            self.principal,
            self.wanted,
        )

    def _new_loaders(self, snapshot: Snapshot) -> Loaders:
        return Loaders(snapshot, self.settings, self.now, self.budget, self.principal)

    @property
    def settings(self) -> Settings:
        """The server's settings."""
        return self.services.settings


Info = strawberry.Info[Context, None]

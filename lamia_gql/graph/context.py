"""What one request carries through the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import strawberry

from lamia_gql.api.services import Services
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.loaders import Loaders
from lamia_gql.live.feeds import ALL_TASKS
from lamia_gql.live.pubsub import CoalescingSubscriber
from lamia_gql.storage.operation_reads import OperationReads


@dataclass(frozen=True, slots=True)
class Watched:
    """The tasks that a subscription shows, where they were asked for by name."""

    ids: Mapping[str, int]
    """By their names, as it began."""
    gatherer: CoalescingSubscriber[int]

    def renew(self) -> None:
        """Have all of them shown again."""
        self.gatherer.add([ALL_TASKS])


@dataclass(slots=True)
class Context:
    """One operation's own: its services, its time, its reads, its loaders."""

    services: Services
    client_address: str | None = None
    last_event_id: str | None = None
    """The cursor that a client of SSE resumes from."""
    cursor: str | None = None
    """The place of what a subscription has given last, where it has places."""
    task_id: int | None = None
    """The task that a subscription has given last, where it gives tasks."""
    watched: Watched | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    reads: OperationReads = field(init=False)
    load: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.reads = OperationReads(self.services.database, self.settings.max_operation_time)
        self.refresh()

    def refresh(self) -> None:
        """Forget what was read: a mutation is about to change it, or something else has."""
        self.now = datetime.now(UTC)
        self.load = Loaders(self.reads, self.settings.beat_interval, self.now)

    @property
    def settings(self) -> Settings:
        """The server's settings."""
        return self.services.settings


Info = strawberry.Info[Context, None]

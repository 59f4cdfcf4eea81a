"""What one request carries through the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import strawberry

from lamia_gql.clients import Clients
from lamia_gql.database import Database
from lamia_gql.graph.loaders import Loaders
from lamia_gql.live import Live
from lamia_gql.recorder import Recorder
from lamia_gql.settings import Settings
from lamia_gql.sweeper import Sweeper


@dataclass(frozen=True, slots=True)
class Services:
    """What lives as long as the server; born in the lifespan."""

    settings: Settings
    database: Database
    recorder: Recorder
    sweeper: Sweeper
    live: Live
    clients: Clients


@dataclass(slots=True)
class Context:
    """One operation's own: its services, its time, its loaders."""

    services: Services
    client_address: str | None = None
    last_event_id: str | None = None
    """The cursor that a client of SSE resumes from."""
    cursor: str | None = None
    """The place of what a subscription has given last, where it has places."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    load: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Forget what was read: a mutation is about to change it, or something else has."""
        self.now = datetime.now(UTC)
        services = self.services
        self.load = Loaders(services.database, services.settings.beat_interval, self.now)

    @property
    def settings(self) -> Settings:
        """The server's settings."""
        return self.services.settings


Info = strawberry.Info[Context, None]

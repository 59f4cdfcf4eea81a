"""The metrics of one server process, for Prometheus.

Whoever does the work counts it in plain attributes. They are read here when somebody asks, so that
nothing but an addition is done while requests wait. No label has a value that clients choose.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from lamia_gql import __version__
from lamia_gql.api.request_statistics import OPERATION_OUTCOMES, OTHER
from lamia_gql.api.services import Services
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.graph.limits.documents import Documents
from lamia_gql.graph.plans.plan import PlanCache
from lamia_gql.graph.schema import Schema
from lamia_gql.graph.transport.streams import OperationStreams
from lamia_gql.ingest.recorder import OUTCOMES as EVENT_OUTCOMES
from lamia_gql.live.pg_listener import PgListener
from lamia_gql.server.connection_limits import REFUSALS, ConnectionLimits
from lamia_gql.server.loop_delay import LoopDelay
from lamia_gql.server.metric_families import Labels, counter, gauge, histogram
from lamia_gql.server.replica_lag import ReplicaLag
from lamia_gql.storage.read_sources import Outcome as ReadOutcome
from lamia_gql.storage.write_statistics import OUTCOMES as WRITE_OUTCOMES


class Metrics(Collector):
    """Reads the metrics of this process. Lives as long as the application.

    Args:
        services: what is measured.
        schema: its caches.
        streams: the operations that run.
        listener: learns of other servers.
        loop_delay: measures the event loop.
        replicas: asks for the replicas of the database.
        connections: the connections of this process; None where another server has them.
    """

    def __init__(
        self,
        services: Services,
        schema: Schema,
        streams: OperationStreams,
        listener: PgListener,
        loop_delay: LoopDelay,
        replicas: ReplicaLag,
        connections: ConnectionLimits | None,
    ) -> None:
        self._services = services
        self._schema = schema
        self._streams = streams
        self._listener = listener
        self._loop_delay = loop_delay
        self._replicas = replicas
        self._connections = connections
        self._process = ProcessCollector(registry=CollectorRegistry())

    async def refresh(self) -> None:
        """Ask for what nobody counts."""
        await self._replicas.refresh()

    def collect(self) -> Iterator[Metric]:
        """All metrics, as they are now."""
        yield gauge("build_info", "The version of the server.", {(__version__,): 1}, ["version"])
        if self._connections is not None:
            yield from self._open_connections(self._connections)
        yield from self._requests()
        yield from self._operations()
        yield from self._events()
        yield from self._database()
        yield from self._live()
        if self._listener.is_needed:
            yield from self._notifications()
            yield from self._replication()
            yield from self._read_replicas()
        yield histogram(
            "event_loop_delay_seconds",
            "How much later than planned a timer of the event loop rang.",
            {(): self._loop_delay.delays},
        )
        yield from self._process.collect()

    @staticmethod
    def _open_connections(connections: ConnectionLimits) -> Iterator[Metric]:
        yield gauge("connections", "Connections that are open.", {(): connections.number})
        yield gauge(
            "connections_max",
            "How many connections there may be: the setting max_connections, or half of the files.",
            {(): connections.max_number},
        )
        yield counter(
            "connections_refused",
            "Connections that were refused, as their address or all had too many, and requests that"
            " were, as all were too large (bytes).",
            {(reason,): connections.refused[reason] for reason in REFUSALS},
            ["reason"],
        )
        yield counter(
            "connections_replaced",
            "Waiting connections that were closed because new ones needed their place.",
            {(): connections.replaced},
        )

    def _requests(self) -> Iterator[Metric]:
        requests = self._services.requests
        answers = requests.answers.items()
        yield counter(
            "http_requests",
            "Answers to HTTP requests, by operation and status.",
            {(operation, str(status)): found.number for (operation, status), found in answers},
            ["operation", "status"],
        )
        yield histogram(
            "http_request_duration_seconds",
            "From a request until its answer began.",
            {(operation,): found for operation, found in requests.durations.items()},
            ["operation"],
        )
        yield gauge(
            "http_requests_running",
            "HTTP requests that are being answered, with event streams.",
            {(): requests.running},
        )
        ended: dict[Labels, float] = {(OTHER, outcome): 0 for outcome in OPERATION_OUTCOMES}
        yield counter(
            "websocket_operations",
            "Operations of WebSockets that have ended, by operation and outcome: completed, failed"
            " or cancelled.",
            ended | requests.websocket_operations,
            ["operation", "outcome"],
        )
        errors: dict[Labels, float] = {(code,): number for code, number in requests.errors.items()}
        yield counter(
            "graphql_errors",
            "Errors in answers of GraphQL, by code.",
            {("INTERNAL",): 0} | errors,
            ["code"],
        )

    def _operations(self) -> Iterator[Metric]:
        planned = self._streams.planned
        yield counter(
            "operations",
            "GraphQL operations that were planned, by a compiled plan, or resolved field by field.",
            {("planned",): planned.answered, ("resolved",): planned.resolved},
            ["execution"],
        )
        yield gauge(
            "operations_waiting",
            "Costly operations that wait for others to end.",
            {(): self._services.cost_gate.waiting},
        )
        caches: dict[str, Documents | PlanCache[Any]] = {
            "documents": self._schema.documents,
            "plans": planned.plans,
            "submissions": planned.submissions,
        }
        lookups: dict[Labels, float] = {}
        for name, cache in caches.items():
            lookups |= {(name, "hit"): cache.hits, (name, "miss"): cache.misses}
        yield counter(
            "cache_lookups", "Lookups in a cache, by result.", lookups, ["cache", "result"]
        )
        yield gauge(
            "cache_entries",
            "Entries of a cache.",
            {(name,): len(cache) for name, cache in caches.items()},
            ["cache"],
        )

    def _events(self) -> Iterator[Metric]:
        recorder = self._services.recorder
        # All from the start: Prometheus takes the first value that it sees for no growth.
        outcomes: dict[Labels, float] = {
            (event_class.value, outcome): recorder.outcomes[event_class, outcome]
            for event_class in EventClass
            for outcome in EVENT_OUTCOMES
        }
        yield counter(
            "events",
            "Submitted events, by class and outcome: stored, duplicate, refused, or unavailable"
            " (answered 503). Invalid events have no class.",
            outcomes | {("", "refused"): recorder.invalid},
            ["event_class", "outcome"],
        )
        yield histogram(
            "event_batch_size",
            "Events that were given to one transaction.",
            {(): recorder.batch_sizes},
        )
        yield gauge(
            "events_waiting",
            "Events that wait for their transaction (commit), or because somebody else has locked"
            " their task (lock).",
            {("commit",): recorder.waiting, ("lock",): recorder.waiting_for_locks},
            ["queue"],
        )
        yield gauge(
            "events_waiting_max",
            "Events that may wait in each queue: the setting max_waiting_events.",
            {(): self._services.settings.max_waiting_events},
        )
        yield histogram(
            "task_lock_wait_seconds",
            "How long events of a task had to wait because somebody else had locked it.",
            {(): recorder.lock_waits},
        )

    def _database(self) -> Iterator[Metric]:
        database = self._services.database
        kinds = {"events": database.event_writes, "other": database.other_writes}
        yield counter(
            "database_writes",
            "Transactions that write, by kind and outcome: committed, refused (by a rule), busy (a"
            " lock), failed, or unknown (whether it was committed).",
            {
                (kind, outcome): writes.outcomes[outcome]
                for kind, writes in kinds.items()
                for outcome in WRITE_OUTCOMES
            },
            ["kind", "outcome"],
        )
        yield histogram(
            "database_write_wait_seconds",
            "How long a transaction waited for a thread, a connection and, on SQLite, for the lock"
            " of other writers.",
            {(kind,): writes.waits for kind, writes in kinds.items()},
            ["kind"],
        )
        yield histogram(
            "database_write_duration_seconds",
            "How long a transaction took, from its begin to the end of its commit.",
            {(kind,): writes.durations for kind, writes in kinds.items()},
            ["kind"],
        )
        yield histogram(
            "database_commit_duration_seconds",
            "How long a commit took.",
            {(kind,): writes.commits for kind, writes in kinds.items()},
            ["kind"],
        )
        readers = database.readers
        yield gauge(
            "database_readers",
            "Operations that have a connection to read the database (running), or wait for one.",
            {("running",): readers.running, ("waiting",): readers.waiting},
            ["state"],
        )
        yield histogram(
            "database_read_wait_seconds",
            "How long those operations waited for a connection that did not get one at once.",
            {(): readers.waits},
        )

    def _live(self) -> Iterator[Metric]:
        services = self._services
        yield gauge(
            "live_connections",
            "WebSockets and event streams that are open.",
            {(): len(services.live_connections)},
        )
        yield gauge(
            "live_operations",
            "Operations that run on live connections.",
            {(): services.subscriptions.running},
        )
        yield gauge(
            "shared_operations",
            "Subscriptions to taskChanged and events that differ: equal ones run only once.",
            {(): len(self._streams)},
        )
        yield gauge(
            "subscribers",
            "Queues that get the events of a task, or the ids of changed tasks.",
            {
                ("events",): len(services.feeds.events),
                ("changes",): len(services.feeds.changes),
            },
            ["kind"],
        )
        yield gauge(
            "subscription_bytes",
            "What all operations of live connections hold.",
            {(): services.subscriptions.held},
        )

    def _notifications(self) -> Iterator[Metric]:
        yield gauge(
            "listener_connected",
            "Whether the server learns at once what other servers commit.",
            {(): self._listener.is_connected},
        )
        yield counter(
            "listener_connections",
            "How often the listening connection was opened.",
            {(): self._listener.connections},
        )
        yield histogram(
            "listener_lag_seconds",
            "From a commit of this server until PostgreSQL's notification of it was received.",
            {(): self._services.feeds.notifications.lags},
        )

    def _replication(self) -> Iterator[Metric]:
        replicas = self._replicas.replicas
        yield gauge(
            "replica_lag_seconds",
            "How long a commit took lately until a replica of the database had replayed it.",
            {(replica.name,): replica.lag_s for replica in replicas},
            ["replica"],
        )
        yield gauge(
            "replica_lag_bytes",
            "How much a replica of the database has not yet replayed.",
            {(replica.name,): replica.lag_bytes for replica in replicas},
            ["replica"],
        )

    def _read_replicas(self) -> Iterator[Metric]:
        sources = self._services.database.sources
        outcomes = ReadOutcome if sources.replicas else ()
        lags = {(each.name,): sources.lag_s(each) for each in sources.replicas}
        yield gauge(
            "read_replica_usable",
            "Whether queries may be read from a replica.",
            {(each.name,): sources.is_usable(each) for each in sources.replicas},
            ["replica"],
        )
        yield gauge(
            "read_replica_lag_seconds",
            "How long ago the primary had more than this replica has.",
            {replica: lag_s for replica, lag_s in lags.items() if lag_s is not None},
            ["replica"],
        )
        yield counter(
            "replica_reads",
            "Queries, by where they were read: from a replica, or from the primary, as no replica"
            " was usable, or all were too late, or one has failed.",
            {(outcome.value,): sources.outcomes[outcome] for outcome in outcomes},
            ["outcome"],
        )

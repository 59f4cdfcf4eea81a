"""When an operation runs: as soon as there is room for it, and within its time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from lamia_gql.api.rate_limits import Client
from lamia_gql.domain.errors import ErrorCode, Unavailable
from lamia_gql.graph.context import Context


def take_cost(context: Context) -> None:
    """Count the cost of a query for its client. Raises :class:`RateExceeded`."""
    client = Client.of(context.principal, context.client_address)
    context.services.rates.cost.take(client, context.cost)


@asynccontextmanager
async def query_limits(context: Context) -> AsyncIterator[None]:
    """Run a query as soon as there is room for it, and for at most ``max_operation_time`` seconds.

    Costly queries wait until they do not cost too much together with those that run; that time
    counts, too. At the end all reads of the query are stopped. Raises the error of
    ``context.reads``, :class:`Unavailable` if there was no room in time, and as :func:`take_cost`.
    """
    take_cost(context)
    gate = context.services.cost_gate
    running = False
    try:
        async with (
            asyncio.timeout(context.settings.max_operation_time),
            gate.passing(context.cost, context.client_address),
        ):
            running = True
            yield
    except TimeoutError:
        raise (context.reads.error() if running else _busy_error()) from None
    finally:
        # Loaders read in separate asyncio tasks, which do not end with the query.
        context.reads.stop()


class Deadline(SchemaExtension):
    """Stops an operation, and all its database reads, after ``max_operation_time`` seconds.

    The answer to a query is then a single error. A mutation still completes its writes; only reads
    after the time limit are refused. Subscriptions have no time limit.
    """

    async def on_execute(self) -> AsyncIterator[None]:
        """Run the operation within its time limit."""
        context: Context = self.execution_context.context
        match self.execution_context.operation_type:
            case OperationType.QUERY:
                async with query_limits(context):
                    yield
            case OperationType.MUTATION:
                context.has_written = True
                limit = context.settings.max_operation_time
                timer = asyncio.get_running_loop().call_later(limit, context.reads.stop)
                try:
                    yield
                finally:
                    timer.cancel()
                    context.reads.end()
            case _:
                yield


def _busy_error() -> Unavailable:
    return Unavailable(
        ErrorCode.BUSY, "Too many costly operations are waiting: try again later, or request less."
    )

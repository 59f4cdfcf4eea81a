"""The time limit of an operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from lamia_gql.graph.context import Context


class Deadline(SchemaExtension):
    """Stops an operation, and all its database reads, after ``max_operation_time`` seconds.

    The answer to a query is then a single error. A mutation still completes its writes; only reads
    after the time limit are refused. Subscriptions have no time limit.
    """

    async def on_execute(self) -> AsyncIterator[None]:
        """Run the operation within its time limit."""
        context: Context = self.execution_context.context
        limit = context.settings.max_operation_time
        match self.execution_context.operation_type:
            case OperationType.QUERY:
                try:
                    async with asyncio.timeout(limit):
                        yield
                except TimeoutError:
                    raise context.reads.error() from None
                finally:
                    # Loaders read in separate asyncio tasks, which do not end with the query.
                    context.reads.stop()
            case OperationType.MUTATION:
                timer = asyncio.get_running_loop().call_later(limit, context.reads.stop)
                try:
                    yield
                finally:
                    timer.cancel()
                    context.reads.end()
            case _:
                yield

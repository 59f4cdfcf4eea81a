"""The time that an operation may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from lamia_gql.graph.context import Context


class Deadline(SchemaExtension):
    """Stops an operation that takes too long, with all that it reads.

    A query is answered by one error then. A mutation still writes what it was to write, and is
    answered when it has; only what it wants to read afterwards is refused. Subscriptions may last.
    """

    async def on_execute(self) -> AsyncIterator[None]:
        """Run the operation, for so long."""
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
                    # Loaders read in tasks of their own, which are not cancelled with the query.
                    context.reads.stop()
            case OperationType.MUTATION:
                alarm = asyncio.get_running_loop().call_later(limit, context.reads.stop)
                try:
                    yield
                finally:
                    alarm.cancel()
            case _:
                yield

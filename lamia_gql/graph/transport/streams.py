"""Operations as streams of results; equal ``taskChanged`` subscriptions run only once.

A thousand dashboards of one task subscribe to the very same snapshots. Subscriptions of equal
text, operation name and variables are therefore executed once, in an asyncio task of their own, and
every subscriber gets each result.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from dataclasses import replace

import orjson
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from lamia_gql.domain.errors import LamiaError, RequestError
from lamia_gql.graph.context import Context
from lamia_gql.graph.schema import Schema
from lamia_gql.graph.stream_errors import end_as_request_error
from lamia_gql.graph.transport.operation import Operation
from lamia_gql.graph.transport.planned import PlannedOperations
from lamia_gql.graph.transport.result import Result, build_failure, build_result
from lamia_gql.live.pubsub import StreamEnded, Subscriber
from lamia_gql.storage.queries.tasks import tasks_by_name

SHARED_FIELD = "taskChanged"
"""The field whose results depend only on the operation and on the present state."""


async def run_operation(
    schema: Schema,
    operation: Operation,
    context: Context,
    allowed: set[OperationType],
    planned: PlannedOperations | None = None,
) -> AsyncGenerator[Result, None]:
    """The one result of a query or mutation, or all those of a subscription. Raises nothing."""
    try:
        answer = None if planned is None else await planned.answer(operation, context, allowed)
        if answer is not None:
            yield answer if isinstance(answer, Result) else await build_result(answer, context)
            return
        stream = await schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.name,
            allowed_operation_types=allowed,
        )
        async with aclosing(stream):
            async for found in stream:
                # Incremental delivery, which yields other types, is not enabled.
                assert isinstance(found, ExecutionResult)
                # A client may take its time to read the result.
                context.reads.end()
                result = await build_result(found, context)
                yield result
                context.budget.restart()
    except Exception as error:
        # Errors that extensions find while parsing are raised instead of returned in a result.
        context.reads.end()
        yield await build_failure(error, context)
    finally:
        context.reads.stop()
        context.budget.close()


class ResultSubscriber(Subscriber[Result]):
    """A queue that keeps only the newest result of each task, in the place of the first one."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._newest: dict[int | None, Result] = {}

    def put(self, result: Result) -> None:
        """Queue a result; it replaces a queued one of the same task."""
        queued = result.task_id in self._newest
        self._newest[result.task_id] = result
        if not queued:
            self.add([result])
        if not self.waiting:
            # The queue was full, and has been dropped.
            self._newest.clear()

    async def drain(self) -> list[Result]:
        """All queued results, at least one; raises :class:`StreamEnded` after the last."""
        drained = [self._newest[result.task_id] for result in await super().drain()]
        self._newest.clear()
        return drained


class SharedOperation:
    """One running subscription with all its subscribers.

    ``first`` is the context of the first one.
    """

    def __init__(self, schema: Schema, operation: Operation, first: Context) -> None:
        # What it reads counts for its first subscriber.
        self.context = Context(first.services, first.client_address)
        self.subscribers: set[ResultSubscriber] = set()
        self.ended = False
        self._stream = run_operation(schema, operation, self.context, {OperationType.SUBSCRIPTION})
        self.running = asyncio.create_task(self._run(), name="shared operation")

    async def _run(self) -> None:
        try:
            async for result in self._stream:
                self.ended = result.failed
                # Also results that equal the one before: the selection may not show the change.
                for subscriber in self.subscribers:
                    subscriber.put(result)
        finally:
            self.ended = True
            for subscriber in self.subscribers:
                subscriber.end(StreamEnded())

    async def has_current_tasks(self) -> bool:
        """Whether the names that were asked for still belong to the tasks that it watches.

        A task may have been deleted and created again. Raises :class:`Unavailable`.
        """
        watched = self.context.watched
        if watched is None:
            return True
        database, names = self.context.services.database, list(watched.ids)
        found = await database.read(lambda c: tasks_by_name(c, names))
        return [task and task.id for task in found] == list(watched.ids.values())


class OperationStreams:
    """Runs operations for every transport; lives as long as the application."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._shared: dict[Hashable, SharedOperation] = {}
        self.planned = PlannedOperations(schema)

    def __len__(self) -> int:
        """The number of shared operations that run."""
        return len(self._shared)

    async def results(
        self, operation: Operation, context: Context, allowed: set[OperationType]
    ) -> AsyncGenerator[Result, None]:
        """The results of an operation, which may be shared with others. Raises nothing."""
        try:
            admitted = context.services.subscriptions.admit(context.client_address)
        except RequestError as error:
            yield await build_failure(error, context)
            return
        with admitted:
            async with aclosing(self._results(operation, context, allowed)) as results:
                async for result in results:
                    yield result

    def _results(
        self, operation: Operation, context: Context, allowed: set[OperationType]
    ) -> AsyncGenerator[Result, None]:
        key = self._sharing_key(operation) if OperationType.SUBSCRIPTION in allowed else None
        if key is None:
            return run_operation(self._schema, operation, context, allowed, self.planned)
        return self._subscribe(key, operation, context)

    def without_undeclared_variables(self, operation: Operation) -> Operation:
        """The operation with those variables only that its document declares."""
        if not operation.variables:
            return operation
        try:
            document = self._schema.documents.read(self._schema._schema, operation.query)
        except Exception:
            # Running the operation reports its errors, and does not take long.
            return operation
        declared = document.declared_variables
        used = {name: value for name, value in operation.variables.items() if name in declared}
        return replace(operation, variables=used)

    def _sharing_key(self, operation: Operation) -> Hashable | None:
        """What equal operations have in common; None for one that cannot be shared."""
        if SHARED_FIELD not in operation.query:
            return None
        try:
            document = self._schema.documents.read(self._schema._schema, operation.query)
            variables = orjson.dumps(operation.variables, option=orjson.OPT_SORT_KEYS)
        except Exception:
            # Running the operation reports its errors.
            return None
        if document.subscription_field(operation.name) != SHARED_FIELD:
            return None
        return operation.query, operation.name, variables

    async def _subscribe(
        self, key: Hashable, operation: Operation, context: Context
    ) -> AsyncGenerator[Result, None]:
        subscriber = ResultSubscriber(context.settings.max_waiting_changes)
        try:
            shared = await self._join(key, operation, context, subscriber)
        except LamiaError as error:
            yield await build_failure(error, context)
            return
        try:
            with end_as_request_error():
                while True:
                    for result in await subscriber.drain():
                        yield result
        except RequestError as error:
            yield await build_failure(error, context)
        finally:
            shared.subscribers.discard(subscriber)
            if not shared.subscribers:
                shared.running.cancel()
                if self._shared.get(key) is shared:
                    del self._shared[key]

    async def _join(
        self, key: Hashable, operation: Operation, context: Context, subscriber: ResultSubscriber
    ) -> SharedOperation:
        while (shared := self._shared.get(key)) is not None:
            is_current = await shared.has_current_tasks()
            # While waiting, its last subscriber may have left, or another one may have replaced it.
            if self._shared.get(key) is shared:
                if is_current and not shared.ended:
                    if shared.context.watched is not None:
                        # Sends the present state again, to all subscribers: that does no harm.
                        shared.context.watched.resend_all()
                    break
                del self._shared[key]
        else:
            shared = self._shared[key] = SharedOperation(self._schema, operation, context)
        shared.subscribers.add(subscriber)
        return shared

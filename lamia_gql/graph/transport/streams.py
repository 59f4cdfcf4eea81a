"""Operations as streams of results; equal subscriptions run only once.

A thousand dashboards of one task subscribe to the very same snapshots, or events. Subscriptions of
equal text, operation name and variables are therefore executed once, in an asyncio task of their
own, and every subscriber gets each result. A subscription to events begins with an execution of its
own, for past events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
from graphql import FieldNode, VariableNode
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from lamia_gql.api.current_request import note_operation_type
from lamia_gql.api.rate_limits import Client
from lamia_gql.domain.errors import LamiaError, RequestError
from lamia_gql.graph.context import Context
from lamia_gql.graph.plans.plan import EVENTS
from lamia_gql.graph.schema import Schema
from lamia_gql.graph.stream_errors import end_as_request_error
from lamia_gql.graph.transport.authorization import require_permission
from lamia_gql.graph.transport.operation import Operation
from lamia_gql.graph.transport.planned import PlannedOperations
from lamia_gql.graph.transport.result import Result, build_failure, build_result
from lamia_gql.graph.transport.shared_operation import SharedOperation
from lamia_gql.graph.transport.waiting_results import (
    NewestResults,
    ResultSubscriber,
    WriteAtOnce,
)
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.tasks import tasks_by_name


async def run_operation(
    schema: Schema,
    operation: Operation,
    context: Context,
    allowed: set[OperationType],
    planned: PlannedOperations,
) -> AsyncGenerator[Result, None]:
    """The one result of a query or mutation, or all those of a subscription. Raises nothing."""
    try:
        answer = await planned.answer(operation, context, allowed)
        if answer is not None:
            yield answer if isinstance(answer, Result) else await build_result(answer, context)
            return
        planned.plan_results(operation, context)
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
        self,
        operation: Operation,
        context: Context,
        allowed: set[OperationType],
        write: WriteAtOnce | None = None,
    ) -> AsyncGenerator[Result, None]:
        """The results of an operation, which may be shared with others. Raises nothing.

        Args:
            operation: what the client asks for.
            context: its context.
            allowed: the types of operation that the transport allows.
            write: writes results of a subscription at once. Those do not come as results, too.
        """
        try:
            require_permission(self._schema, operation, context.principal)
            client = Client.of(context.principal, context.client_address)
            context.services.rates.operations.take(client)
            await context.services.request_turns.take(client)
            admitted = context.services.subscriptions.admit(context.client_address, operation.size)
        except LamiaError as error:
            yield await build_failure(error, context)
            return
        with admitted:
            async with aclosing(self._results(operation, context, allowed, write)) as results:
                async for result in results:
                    yield result

    def read(self, parameters: Any) -> Operation:
        """The operation in a decoded request. Raises :class:`MalformedOperation`."""
        return Operation.of(parameters, self._schema.documents.persisted)

    def _results(
        self,
        operation: Operation,
        context: Context,
        allowed: set[OperationType],
        write: WriteAtOnce | None,
    ) -> AsyncGenerator[Result, None]:
        root = self._subscription_root(operation) if OperationType.SUBSCRIPTION in allowed else None
        if root is None:
            return run_operation(self._schema, operation, context, allowed, self.planned)
        note_operation_type(OperationType.SUBSCRIPTION.value)
        if root.name.value == EVENTS:
            key = self._sharing_key(operation, without=self._resume_variable(operation, root))
            return self._follow_events(key, operation, context, write)
        return self._follow_snapshots(self._sharing_key(operation), operation, context, write)

    def _run_subscription(
        self, operation: Operation, context: Context
    ) -> AsyncGenerator[Result, None]:
        return run_operation(
            self._schema, operation, context, {OperationType.SUBSCRIPTION}, self.planned
        )

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

    def _subscription_root(self, operation: Operation) -> FieldNode | None:
        try:
            document = self._schema.documents.read(self._schema._schema, operation.query)
            return document.subscription_root(operation.name)
        except Exception:
            # Running the operation reports its errors.
            return None

    def _resume_variable(self, operation: Operation, root: FieldNode) -> str | None:
        """The variable that only says where a subscription to events begins."""
        document = self._schema.documents.read(self._schema._schema, operation.query)
        for argument in root.arguments or ():
            if argument.name.value == "after" and isinstance(argument.value, VariableNode):
                name = argument.value.name.value
                return name if document.uses[name] == 1 else None
        return None

    def _sharing_key(self, operation: Operation, without: str | None = None) -> Hashable:
        """What equal operations have in common; ``without`` is a variable that may differ."""
        # Their results depend only on the operation and on the present state.
        given = operation.variables or {}
        variables = {name: value for name, value in given.items() if name != without}
        try:
            encoded = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            # Running the operation reports the error, if it is one.
            return object()
        return operation.query, operation.name, encoded

    async def _follow_events(
        self, key: Hashable, operation: Operation, context: Context, write: WriteAtOnce | None
    ) -> AsyncGenerator[Result, None]:
        subscriber = ResultSubscriber(
            context.settings.max_waiting_changes, context.services.subscriptions, write
        )
        followed: SharedOperation | None = None
        key_of_task: Hashable = None

        async def join(task_id: int, wanted: EventFilter) -> None:
            nonlocal followed, key_of_task
            key_of_task = key, task_id
            shared = self._shared.get(key_of_task)
            if shared is None or shared.ended:
                shared = self._share_events(operation, context, task_id, wanted)
                self._shared[key_of_task] = shared
            shared.join(subscriber)
            followed = shared
            await shared.follows.wait()

        context.join = join
        try:
            async with aclosing(self._run_subscription(operation, context)) as past:
                async for result in past:
                    yield result
                    if result.failed:
                        return
            context.end_reads()
            subscriber.skip(context.seq)
            async with aclosing(_results_of(subscriber, context)) as results:
                async for result in results:
                    yield result
        finally:
            self._leave(key_of_task, followed, subscriber)

    def _share_events(
        self, operation: Operation, first: Context, task_id: int, wanted: EventFilter
    ) -> SharedOperation:
        # What it reads counts for its first subscriber.
        context = Context(first.services, first.principal, first.client_address)

        async def run() -> AsyncGenerator[Result, None]:
            feeds = context.services.feeds
            async with feeds.subscribe_to_events(task_id, wanted) as context.new_events:
                shared.follows.set()
                async with aclosing(self._run_subscription(operation, context)) as results:
                    async for result in results:
                        yield result

        shared = SharedOperation(run(), context)
        return shared

    async def _follow_snapshots(
        self, key: Hashable, operation: Operation, context: Context, write: WriteAtOnce | None
    ) -> AsyncGenerator[Result, None]:
        subscriber = NewestResults(
            context.settings.max_waiting_changes, context.services.subscriptions, write
        )
        try:
            shared = await self._join_snapshots(key, operation, context, subscriber)
        except LamiaError as error:
            yield await build_failure(error, context)
            return
        try:
            async with aclosing(_results_of(subscriber, context)) as results:
                async for result in results:
                    yield result
        finally:
            self._leave(key, shared, subscriber)

    async def _join_snapshots(
        self, key: Hashable, operation: Operation, context: Context, subscriber: ResultSubscriber
    ) -> SharedOperation:
        while (shared := self._shared.get(key)) is not None:
            is_current = await _has_current_tasks(shared.context)
            # While waiting, its last subscriber may have left, or another one may have replaced it.
            if self._shared.get(key) is shared:
                if is_current and not shared.ended:
                    if shared.context.watched is not None:
                        # Sends the present state again, to all subscribers: that does no harm.
                        shared.context.watched.resend_all()
                    break
                del self._shared[key]
        else:
            # What it reads counts for its first subscriber.
            own = Context(context.services, context.principal, context.client_address)
            shared = SharedOperation(self._run_subscription(operation, own), own)
            self._shared[key] = shared
        shared.join(subscriber)
        return shared

    def _leave(
        self, key: Hashable, shared: SharedOperation | None, subscriber: ResultSubscriber
    ) -> None:
        subscriber.close()
        if shared is not None:
            shared.leave(subscriber)
            if not len(shared):
                shared.running.cancel()
                if self._shared.get(key) is shared:
                    del self._shared[key]


async def _results_of(
    subscriber: ResultSubscriber, context: Context
) -> AsyncGenerator[Result, None]:
    """What is queued for a subscriber, and then the error that ends it, if there is one."""
    try:
        with end_as_request_error():
            while True:
                results = deque(await subscriber.drain())
                while results:
                    yield results[0]
                    subscriber.release(results.popleft())
    except RequestError as error:
        yield await build_failure(error, context)


async def _has_current_tasks(context: Context) -> bool:
    """Whether the names that were asked for still belong to the tasks that are watched.

    A task may have been deleted and created again. Raises :class:`Unavailable`.
    """
    watched = context.watched
    if watched is None:
        return True
    names = list(watched.ids)
    found = await context.services.database.read(lambda c: tasks_by_name(c, names))
    return [task and task.id for task in found] == list(watched.ids.values())

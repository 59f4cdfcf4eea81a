"""Operations as streams of results, those that watch the same tasks in the same way being one.

A thousand dashboards of a task ask for the very same snapshots. Such an operation, of equal text,
name and variables, runs once, in a task of its own, and its followers get each result as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable

import orjson
from strawberry.types.graphql import OperationType

from lamia_gql.api.services import Services
from lamia_gql.domain.errors import LamiaError, RequestError
from lamia_gql.graph.context import Context
from lamia_gql.graph.schema import Schema
from lamia_gql.graph.stream_errors import endings
from lamia_gql.graph.transport.operation import Operation, Result, failure, results
from lamia_gql.live.pubsub import Ended, Subscriber
from lamia_gql.storage.queries.tasks import tasks_by_name

SHARED = "taskChanged"
"""The field whose results depend on nothing but the operation and the present."""


class Follower(Subscriber[Result]):
    """A queue that keeps the newest result of each task only, where the first of them was."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._newest: dict[int | None, Result] = {}

    def show(self, result: Result) -> None:
        """Let a result wait, in place of an older one of the same task."""
        waits = result.task_id in self._newest
        self._newest[result.task_id] = result
        if not waits:
            self.add([result])
        if not self.waiting:
            # It was too slow, and has lost the queue.
            self._newest.clear()

    async def take(self) -> list[Result]:
        """All that waits, and at least one; raises :class:`Ended` after the last."""
        taken = [self._newest[result.task_id] for result in await super().take()]
        self._newest.clear()
        return taken


class Shared:
    """One running operation, and those who follow it."""

    def __init__(self, schema: Schema, operation: Operation, services: Services) -> None:
        self.context = Context(services)
        self.followers: set[Follower] = set()
        self.ended = False
        self._stream = results(schema, operation, self.context, {OperationType.SUBSCRIPTION})
        self.running = asyncio.create_task(self._run(), name="shared operation")

    async def _run(self) -> None:
        try:
            async for result in self._stream:
                self.ended = result.failed
                self._hand_out(result)
        finally:
            self.ended = True
            for follower in self.followers:
                follower.end(Ended())

    def _hand_out(self, result: Result) -> None:
        # Also where it looks as before: the selection may not show what has changed. A task that
        # is read again because somebody joins is shown to all, which does no harm.
        for follower in self.followers:
            follower.show(result)

    async def suits(self) -> bool:
        """Whether its tasks are still those of the names that were asked for.

        Raises :class:`Unavailable`.
        """
        watched = self.context.watched
        if watched is None:
            return True
        database, names = self.context.services.database, list(watched.ids)
        found = await database.read(lambda c: tasks_by_name(c, names))
        return [task and task.id for task in found] == list(watched.ids.values())


class Streams:
    """What every transport gets the results of an operation from; one for a server."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._shared: dict[Hashable, Shared] = {}

    def __len__(self) -> int:
        """How many operations run that can have several followers."""
        return len(self._shared)

    def results(
        self, operation: Operation, context: Context, allowed: set[OperationType]
    ) -> AsyncGenerator[Result, None]:
        """The results of an operation, by itself or together with others. Raises nothing."""
        key = self._key(operation) if OperationType.SUBSCRIPTION in allowed else None
        if key is None:
            return results(self._schema, operation, context, allowed)
        return self._follow(key, operation, context)

    def _key(self, operation: Operation) -> Hashable | None:
        """What equal operations have in common, where they can be one."""
        if SHARED not in operation.query:
            return None
        try:
            document = self._schema.documents.read(self._schema._schema, operation.query)
            variables = orjson.dumps(operation.variables, option=orjson.OPT_SORT_KEYS)
        except Exception:
            # Whatever is wrong with it is told where it is run.
            return None
        if document.subscribed(operation.name) != SHARED:
            return None
        return operation.query, operation.name, variables

    async def _follow(
        self, key: Hashable, operation: Operation, context: Context
    ) -> AsyncGenerator[Result, None]:
        follower = Follower(context.settings.max_waiting_changes)
        try:
            shared = await self._join(key, operation, context, follower)
        except LamiaError as error:
            yield failure(error, context)
            return
        try:
            with endings():
                while True:
                    for result in await follower.take():
                        yield result
        except RequestError as error:
            yield failure(error, context)
        finally:
            shared.followers.discard(follower)
            if not shared.followers:
                shared.running.cancel()
                if self._shared.get(key) is shared:
                    del self._shared[key]

    async def _join(
        self, key: Hashable, operation: Operation, context: Context, follower: Follower
    ) -> Shared:
        while (shared := self._shared.get(key)) is not None:
            suits = await shared.suits()
            # Meanwhile its last follower may have left, or somebody have begun another.
            if self._shared.get(key) is shared:
                if suits and not shared.ended:
                    if shared.context.watched is not None:
                        shared.context.watched.renew()
                    break
                del self._shared[key]
        else:
            shared = self._shared[key] = Shared(self._schema, operation, context.services)
        shared.followers.add(follower)
        return shared

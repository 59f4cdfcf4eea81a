"""The results of a shared subscription, on their way to one of its clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lamia_gql.graph.transport.result import Result
from lamia_gql.live.pubsub import StreamEnded, Subscriber
from lamia_gql.live.subscription_limit import SubscriptionLimit

MAX_WRITTEN_AT_ONCE = 65_536
"""The bytes of results that are written without waiting for the client to read."""


class SharedResult:
    """A result that is handed to many subscribers.

    Args:
        result: the result.
    """

    __slots__ = ("result", "written")

    def __init__(self, result: Result) -> None:
        self.result = result
        self.written: dict[str, bytes] = {}
        """What a transport writes for it, by the client's id of the operation."""


class Push:
    """Results that are handed to a subscriber together.

    Args:
        shared: the results, at least one.
    """

    __slots__ = ("first_seq", "is_short", "shared", "written")

    def __init__(self, shared: Sequence[SharedResult]) -> None:
        self.shared = shared
        self.first_seq = shared[0].result.seq
        self.is_short = (
            not shared[-1].result.failed
            and sum(len(each.result.encoded) for each in shared) <= MAX_WRITTEN_AT_ONCE
        )
        """Whether it may be written at once."""
        self.written: dict[str, bytes] = {}
        """What a transport writes for it, by the client's id of the operation."""


WriteAtOnce = Callable[[Push], bool]
"""Writes results to a client, if that takes no waiting; returns whether it has."""


class ResultSubscriber(Subscriber[Result]):
    """A queue of results, which are written past it while it is empty and the client reads.

    Args:
        limit: the largest number of results that may wait.
        subscriptions: counts what all subscriptions hold.
        write: writes results at once; None where the transport can't.
    """

    def __init__(
        self, limit: int, subscriptions: SubscriptionLimit, write: WriteAtOnce | None = None
    ) -> None:
        super().__init__(limit)
        self._subscriptions = subscriptions
        self._write = write
        self._may_write = False
        """Whether everything was sent, and the client waits for more."""
        self._seq = -1
        self._held: dict[int, Result] = {}
        """Those in the queue, and those that are being sent."""

    def put(self, push: Push) -> None:
        """Write results, or else queue them.

        If all subscriptions hold too much, and other results wait here, the queue is dropped.
        """
        if (
            self._may_write
            and push.is_short
            and push.first_seq > self._seq
            and self._write is not None
            and self._write(push)
        ):
            return
        for shared in push.shared:
            result = shared.result
            if result.seq > self._seq and not self.has_ended:
                self._queue_result(result)

    def skip(self, seq: int) -> None:
        """Leave out the results for events up to this number, which the client has."""
        self._seq = seq
        skipped = [results for results in self._queue if results[0].seq <= seq]
        del self._queue[: len(skipped)]
        self._size -= len(skipped)
        for [result] in skipped:
            self.release(result)

    def drop(self) -> None:
        """Drop the queue, as it takes too much: the subscriber is too slow."""
        for results in self._queue:
            for result in results:
                self.release(result)
        super().drop()

    def end(self, reason: StreamEnded) -> None:
        """Accept no more results; those in the queue can still be drained."""
        self._may_write = False
        super().end(reason)

    def release(self, result: Result) -> None:
        """Hold a result no longer: it was sent."""
        del self._held[id(result)]
        self._subscriptions.release(result, len(result.encoded))

    def close(self) -> None:
        """Hold nothing any more, and take nothing: the subscriber has left."""
        self.end(StreamEnded())
        for result in list(self._held.values()):
            self.release(result)

    async def drain(self) -> list[Result]:
        """All queued results, at least one; raises :class:`StreamEnded` after the last.

        They are held until they are released.
        """
        self._may_write = not self._held and not self.has_ended
        try:
            return await super().drain()
        finally:
            self._may_write = False

    def _queue_result(self, result: Result) -> None:
        self._hold(result)
        self.add([result])
        self._drop_if_full()

    def _hold(self, result: Result) -> None:
        self._may_write = False
        self._held[id(result)] = result
        self._subscriptions.hold(result, len(result.encoded))

    def _drop_if_full(self) -> None:
        if self._subscriptions.is_full and len(self._held) > 1:
            self.drop()


class NewestResults(ResultSubscriber):
    """A queue that keeps only the newest result of each task, in the place of the first one."""

    def __init__(
        self, limit: int, subscriptions: SubscriptionLimit, write: WriteAtOnce | None = None
    ) -> None:
        super().__init__(limit, subscriptions, write)
        self._places: dict[int | None, list[Result]] = {}
        """The places in the queue, each with one result, by the task."""

    def drop(self) -> None:
        """Drop the queue, as it takes too much: the subscriber is too slow."""
        super().drop()
        self._places.clear()

    async def drain(self) -> list[Result]:
        """See :meth:`ResultSubscriber.drain`."""
        drained = await super().drain()
        self._places.clear()
        return drained

    def _queue_result(self, result: Result) -> None:
        place = self._places.get(result.task_id)
        self._hold(result)
        if place is None:
            place = self._places[result.task_id] = [result]
            self.add(place)
        else:
            self.release(place[0])
            place[0] = result
        self._drop_if_full()

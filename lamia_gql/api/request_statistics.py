"""How many requests there were, of which operations, how they ended and how long they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from lamia_gql.api.current_request import begin_operation
from lamia_gql.domain.histogram import SECONDS, Histogram

OTHER = "other"
"""Stands for every operation that has no label of its own."""


OPERATION_OUTCOMES = ("completed", "failed", "cancelled")
"""How an operation of a WebSocket ends: ``cancelled`` by its client or the server."""


class EndedOperation:
    """How an operation of a WebSocket has ended."""

    def __init__(self) -> None:
        self.outcome = "cancelled"
        """One of :data:`OPERATION_OUTCOMES`."""


class Answers:
    """How many answers to one operation had one status.

    Args:
        durations: of all answers to the operation.
    """

    __slots__ = ("durations", "number")

    def __init__(self, durations: Histogram) -> None:
        self.number = 0
        self.durations = durations


class RequestStatistics:
    """Counts requests by their operations. Lives as long as the application.

    To be used in the thread of the event loop.

    Args:
        operations: the GraphQL operations and addresses of REST that are counted on their own, so
            that clients can't make up labels without end.
        trace: makes the block in which an operation of a WebSocket runs; how it has ended is set in
            its argument when the block ends.
    """

    def __init__(
        self,
        operations: Iterable[str],
        trace: Callable[[EndedOperation], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._operations = frozenset(operations)
        self._trace = trace
        self.answers: dict[tuple[str, int], Answers] = {}
        """The HTTP answers, by operation and status."""
        self.durations: dict[str, Histogram] = {}
        """The times until the answers began, by operation."""
        self.running = 0
        """The number of HTTP requests that are being answered."""
        self.websocket_operations: Counter[tuple[str, str]] = Counter()
        """The operations of WebSockets that have ended, by operation and outcome."""
        self.errors: Counter[str] = Counter()
        """The errors in answers of GraphQL, by code."""

    def count_answer(self, operation: str | None, status: int, seconds: float) -> None:
        """Count an answer to an HTTP request."""
        found = self.answers.get((operation or OTHER, status))
        if found is None:
            found = self._answers(self.label(operation), status)
        found.number += 1
        found.durations.add(seconds)

    def _answers(self, label: str, status: int) -> Answers:
        if (label, status) not in self.answers:
            durations = self.durations.setdefault(label, Histogram(SECONDS))
            self.answers[label, status] = Answers(durations)
        return self.answers[label, status]

    @contextmanager
    def websocket_operation(self, operation: str | None) -> Iterator[EndedOperation]:
        """Count an operation of a WebSocket that runs in this block."""
        begin_operation(operation)
        ended = EndedOperation()
        try:
            with self._trace(ended):
                yield ended
        finally:
            self.websocket_operations[self.label(operation), ended.outcome] += 1

    def label(self, operation: str | None) -> str:
        """The label of an operation, of a bounded number."""
        return operation if operation and operation in self._operations else OTHER

"""The request that the running code belongs to, for the log, the metrics and the traces."""

from __future__ import annotations

from contextvars import ContextVar


class CurrentRequest:
    """A request of a client; for a WebSocket, its handshake, or one of its operations.

    Args:
        id: the id in the header ``X-Request-ID``. The operations of a WebSocket have that of its
            handshake.
        operation: the name of its GraphQL operation, as the client gave it; it may be any name. Of
            REST, the method and the address without names.
    """

    __slots__ = ("id", "operation", "operation_type")

    def __init__(self, id: str, operation: str | None = None) -> None:  # noqa: A002 (its own name)
        self.id = id
        self.operation = operation
        self.operation_type: str | None = None
        """``query``, ``mutation`` or ``subscription``; None if it is not known."""


current_request: ContextVar[CurrentRequest | None] = ContextVar("current_request", default=None)
"""Inherited by the asyncio tasks and threads that work for the request."""


def note_operation(name: str | None) -> None:
    """Note the name of the operation that the current request asks for."""
    request = current_request.get()
    if request is not None:
        request.operation = name


def note_operation_type(operation_type: str) -> None:
    """Note the type of the GraphQL operation that the current request asks for."""
    request = current_request.get()
    if request is not None:
        request.operation_type = operation_type


def begin_operation(name: str | None) -> None:
    """Let the current asyncio task belong to one operation of the connection that has begun it."""
    request = current_request.get()
    if request is not None:
        current_request.set(CurrentRequest(request.id, name))

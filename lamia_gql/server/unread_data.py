"""What a client has sent, and the event loop has not read yet."""

from __future__ import annotations

from asyncio import BaseTransport
from selectors import EVENT_READ, DefaultSelector


def has_unread_data(transport: BaseTransport) -> bool:
    """Whether there is any, or the client has closed the connection."""
    with DefaultSelector() as selector:
        selector.register(transport.get_extra_info("socket").fileno(), EVENT_READ)
        return bool(selector.select(0))

"""What a receiver of notifications is: the same for e-mail, webhooks and Apprise."""

from __future__ import annotations

from typing import Protocol

from lamia_gql.ingest.outbox_claims import Queue
from lamia_gql.notification.notice import Notice


class NotDelivered(Exception):  # noqa: N818  (named after the condition)
    """An attempt has failed; the message is for the log, and has no secret.

    Args:
        reason: why.
        is_final: whether a further attempt is futile.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Receiver(Protocol):
    """Who gets the notifications of one queue. Lives as long as the application."""

    @property
    def name(self) -> str:
        """What the log calls it: without passwords and paths, which may be secret."""

    @property
    def queue(self) -> Queue:
        """What it gets."""

    async def send(self, notice: Notice) -> None:
        """Send a notification; returns once the receiver has confirmed it.

        Ends within ``notify_timeout``. Raises :class:`NotDelivered`, and other exceptions for
        defects.
        """

    async def close(self) -> None:
        """Give back what it has opened."""

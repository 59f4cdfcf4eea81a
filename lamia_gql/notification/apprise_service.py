"""Everything that Apprise knows: chat rooms, phones, desktops."""

from __future__ import annotations

import asyncio
from typing import Any

from lamia_gql.domain.notifications import Channel, url_digest
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.outbox_claims import Queue
from lamia_gql.notification.notice import Notice
from lamia_gql.notification.receiver import NotDelivered


class AppriseService:
    """Sends notifications through one URL of Apprise. Not all services know their ids."""

    def __init__(self, url: str, settings: Settings) -> None:
        # Optional, and slow to import.
        import apprise

        self.name = f"Apprise's {url.partition(':')[0]}"
        self.queue = Queue(Channel.APPRISE, url_digest(url))
        self._timeout_s = settings.notify_timeout
        self._service: Any = apprise.Apprise()
        self._is_known: bool = self._service.add(url)

    async def send(self, notice: Notice) -> None:
        """Send a notification; returns once Apprise says that it was taken."""
        if not self._is_known:
            raise NotDelivered("Apprise does not understand its URL in notify_apprise_urls")
        try:
            async with asyncio.timeout(self._timeout_s):
                is_sent = await self._service.async_notify(
                    title=notice.title(),
                    body=notice.text(),
                    notify_type="failure" if notice.is_bad else "success",
                )
        except TimeoutError as error:
            raise NotDelivered("it did not answer in time") from error
        if not is_sent:
            raise NotDelivered("Apprise could not deliver it")

    async def close(self) -> None:
        """Nothing is open between notifications."""

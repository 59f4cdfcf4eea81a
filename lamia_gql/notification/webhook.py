"""Webhooks: CloudEvents 1.0 in JSON, signed by Standard Webhooks 1.0."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook as Signer

from lamia_gql import __version__
from lamia_gql.domain.notifications import Channel, url_digest
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.outbox_claims import Queue
from lamia_gql.notification.notice import Notice
from lamia_gql.notification.receiver import NotDelivered

GONE = 410
"""The answer of a receiver that wants no more, by Standard Webhooks."""


class Webhook:
    """Sends notifications to one URL of the settings, and follows no redirection."""

    def __init__(self, url: str, settings: Settings) -> None:
        assert settings.notify_webhook_secret is not None
        # At the level "info" it would log the URLs, which may have a secret.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self.name = f"the webhook on {urlsplit(url).hostname}"
        self.queue = Queue(Channel.WEBHOOK, url_digest(url))
        self._url = url
        self._timeout_s = settings.notify_timeout
        self._signer = Signer(settings.notify_webhook_secret.get_secret_value())
        self._client = httpx.AsyncClient(
            timeout=settings.notify_timeout, headers={"User-Agent": f"lamia-gql/{__version__}"}
        )

    async def send(self, notice: Notice) -> None:
        """Send a POST; returns once it is answered 2xx. The body of the answer is not read."""
        body, now = notice.cloud_event(), datetime.now(UTC)
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "webhook-id": notice.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(notice.id, now, body),
        }
        try:
            async with asyncio.timeout(self._timeout_s):
                async with self._client.stream(
                    "POST", self._url, content=body.encode(), headers=headers
                ) as response:
                    status = response.status_code
        except TimeoutError as error:
            raise NotDelivered("it did not answer in time") from error
        except httpx.HTTPError as error:
            raise NotDelivered(f"{type(error).__name__}: {str(error)[:200]}") from error
        if not 200 <= status < 300:
            raise NotDelivered(f"it answered {status}", is_final=status == GONE)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

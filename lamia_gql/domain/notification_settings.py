"""The settings of notifications, a part of :class:`lamia_gql.domain.settings.Settings`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, NoDecode

from lamia_gql.domain.notifications import Occasion
from lamia_gql.domain.setting_types import (
    SPLIT,
    AppriseUrl,
    HostName,
    MailAddress,
    ServerUrl,
    SmtpUrl,
    WebhookSecret,
    WebhookUrl,
)

MAX_RECEIVERS = 20
"""How many addresses a setting may name: each has a delivery of its own."""
MAX_GIVE_UP_AFTER_S = 1e9
"""Thirty years; much more, and no date is so long ago."""
MAX_NOTIFICATIONS = 1_000_000_000
"""Far more than any mail server takes; much more, and no database has such a number."""


class NotificationSettings(BaseSettings):
    """Who is notified of what; nobody unless a receiver is set."""

    public_url: ServerUrl | None = Field(
        None,
        description="The address by which people and jobs reach the server: of the links in"
        " notifications, and what `submit` exports to jobs.",
    )
    smtp_url: SmtpUrl | None = Field(
        None,
        repr=False,
        description="The mail server for e-mails to the addresses of tasks:"
        " smtp://USER:PASSWORD@HOST:PORT, or smtps://; none are sent without.",
    )
    notify_from: MailAddress | None = Field(
        None,
        description="The sender of e-mails; lamia-gql@ and the name of the machine if it is none.",
    )
    notify_email_domains: Annotated[list[HostName], NoDecode, SPLIT] = Field(
        [],
        description="Domains to whose addresses e-mails may be sent, with those below them;"
        " to all if it is empty.",
    )
    notify_webhook_urls: Annotated[list[WebhookUrl], NoDecode, SPLIT] = Field(
        [],
        max_length=MAX_RECEIVERS,
        repr=False,
        description="Addresses that get a signed POST for each notification of any task.",
    )
    notify_webhook_secret: WebhookSecret | None = Field(
        None,
        description="The secret that webhooks are signed with: whsec_ and 24 to 64 bytes in"
        " base64.",
    )
    notify_apprise_urls: Annotated[list[AppriseUrl], NoDecode, SPLIT] = Field(
        [],
        max_length=MAX_RECEIVERS,
        repr=False,
        description="Addresses of Apprise that get each notification of any task, such as chat"
        " rooms; needs the package apprise.",
    )
    notify_on: Annotated[list[Occasion], NoDecode, SPLIT] = Field(
        list(Occasion),
        description="On what there are notifications: SUCCEEDED, FAILED, CANNOT_SUCCEED, SILENT."
        " The `notify` of a task overrides it for its e-mails.",
    )
    notify_silence: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="The time in seconds without an event after which a RUNNING task is SILENT, if"
        " no beat interval tells.",
    )
    notify_timeout: float = Field(
        10.0,
        gt=0,
        le=300,
        description="The time in seconds in which a receiver must accept a notification.",
    )
    notify_give_up_after: float = Field(
        86_400.0,
        gt=0,
        le=MAX_GIVE_UP_AFTER_S,
        description="The time in seconds after which a notification that no attempt could deliver"
        " is given up.",
    )
    max_notifications: int = Field(
        10_000,
        ge=1,
        le=MAX_NOTIFICATIONS,
        description="The largest number of notifications that may wait for their delivery; beyond,"
        " new ones are dropped.",
    )

    @model_validator(mode="after")
    def _check_webhook_secret(self) -> Self:
        if self.notify_webhook_urls and self.notify_webhook_secret is None:
            raise ValueError("notify_webhook_urls needs notify_webhook_secret, to sign requests")
        return self

"""E-mails to the addresses of tasks, by SMTP."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

import aiosmtplib

from lamia_gql.domain.addresses import is_loopback
from lamia_gql.domain.notifications import Channel, is_mail_address
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.outbox_claims import Queue
from lamia_gql.notification.notice import Notice
from lamia_gql.notification.receiver import NotDelivered

PORT, TLS_PORT = 25, 465
QUIT_TIMEOUT_S = 2.0
"""How long the server may take to say goodbye, after it has accepted the e-mail."""
FOOTER = "\n-- \nSent to the address of the task. Its field `notify` says on what.\n"
PERMANENT = range(500, 600)
"""The replies of a mail server after which the same e-mail is not to be sent again."""


class Mail:
    """Sends each e-mail on a connection of its own.

    Without a password, TLS is used if the server offers it; with one it must, unless it is on this
    machine.
    """

    name = "the mail server"
    queue = Queue(Channel.EMAIL, None)

    def __init__(self, url: str, settings: Settings) -> None:
        found = urlsplit(url)
        assert found.hostname is not None
        self._timeout_s = settings.notify_timeout
        self._sender = settings.notify_from or _own_address()
        self._user = None if found.username is None else unquote(found.username)
        self._password = None if found.password is None else unquote(found.password)
        self._use_tls = found.scheme == "smtps"
        self._host = found.hostname
        self._port = found.port or (TLS_PORT if self._use_tls else PORT)
        self._start_tls: bool | None
        if self._use_tls or is_loopback(found.hostname):
            self._start_tls = False
        else:
            self._start_tls = None if self._user is None else True

    async def send(self, notice: Notice) -> None:
        """Send an e-mail; returns once the server has accepted it."""
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            # The library would ask the DNS for it, and meanwhile everything would wait.
            local_hostname=socket.gethostname(),
            username=self._user,
            password=self._password,
            timeout=self._timeout_s,
            use_tls=self._use_tls,
            start_tls=self._start_tls,
        )
        message = self._message(notice)
        try:
            async with asyncio.timeout(self._timeout_s):
                await client.connect()
                await client.send_message(
                    message, sender=self._sender, recipients=[notice.receiver]
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal(error.recipients[0]) from error
        except aiosmtplib.SMTPDataError as error:
            raise _refusal(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:  # a timeout is an OSError, too
            raise NotDelivered(_reason(error)) from error
        else:
            # It is accepted, whatever comes now.
            with suppress(aiosmtplib.SMTPException, OSError):
                async with asyncio.timeout(QUIT_TIMEOUT_S):
                    await client.quit()
        finally:
            client.close()

    async def close(self) -> None:
        """Nothing is open between e-mails."""

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage(policy=SMTP_POLICY)
        message["Subject"] = notice.title()
        message["From"] = self._sender
        message["To"] = notice.receiver
        message["Date"] = format_datetime(notice.created_at)
        # The same for each attempt, so that mail programs show a repetition once.
        message["Message-ID"] = f"<{notice.id}@{self._sender.rpartition('@')[2]}>"
        # RFC 3834: nobody's absence is to answer.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text() + FOOTER, cte="quoted-printable")
        return message


def _refusal(reply: aiosmtplib.SMTPResponseException) -> NotDelivered:
    return NotDelivered(_reason(reply), is_final=reply.code in PERMANENT)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | aiosmtplib.SMTPTimeoutError):
        return "it did not answer in time"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"it answered {error.code} {error.message[:200]!r}"
    return f"{type(error).__name__}: {str(error)[:200]}"


def _own_address() -> str:
    address = f"lamia-gql@{socket.gethostname()}"
    return address if is_mail_address(address) else "lamia-gql@localhost"

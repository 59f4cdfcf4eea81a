"""A real mail server in this process, which accepts, defers, refuses or hangs as a test says."""

from __future__ import annotations

import email
import gc
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from tests.support.ports import free_ports


class MailServer:
    """What it has received, and what it answers.

    ``replies`` has the next answers to an e-mail, at its end: 451 to defer it, 550 to refuse it.
    Without any, it is accepted.
    """

    def __init__(self) -> None:
        self.url, self.port = "", 0
        self.signed_in: bool | None = None
        """Whether the sender of the last e-mail had signed in."""
        self.replies: list[str] = []
        self.refused_addresses: set[str] = set()
        self._accepted: list[EmailMessage] = []
        self._lock = threading.Lock()

    @property
    def accepted(self) -> list[EmailMessage]:
        """The e-mails that it has confirmed."""
        with self._lock:
            return list(self._accepted)

    def subjects(self) -> list[str]:
        """The subjects of the e-mails that it has confirmed."""
        return [str(message["Subject"]) for message in self.accepted]

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Accept a recipient, or not."""
        if address in self.refused_addresses:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, _server: Any, session: Any, envelope: Any
    ) -> str:
        """Take an e-mail, or not."""
        with self._lock:
            self.signed_in = session.authenticated
            if self.replies:
                return self.replies.pop(0)
            message = email.message_from_bytes(envelope.content, policy=default)
            self._accepted.append(message)
            return "250 2.0.0 accepted"


@contextmanager
def run_mail_server(**options: Any) -> Iterator[MailServer]:
    """A mail server for the duration of the block, with options of aiosmtpd."""
    server = MailServer()
    [port] = free_ports(1)
    controller = Controller(server, hostname="127.0.0.1", port=port, **options)
    controller.start()
    server.url, server.port = f"smtp://127.0.0.1:{port}", port
    try:
        yield server
    finally:
        controller.stop()
        with warnings.catch_warnings():
            # It does not close connections that clients hold, and Python complains in any later
            # test that happens to collect them.
            warnings.simplefilter("ignore", ResourceWarning)
            del controller
            gc.collect()

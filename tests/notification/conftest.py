"""A mail server, a receiver of webhooks, and a server that uses both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import make_postgres
from tests.conftest import start_on as start
from tests.support.harness import Server
from tests.support.mail_server import MailServer, run_mail_server
from tests.support.webhook_receiver import SECRET, WebhookReceiver, run_webhook_receiver


@dataclass(frozen=True, slots=True)
class Notifying:
    """A server with the receivers of its notifications."""

    server: Server
    mail: MailServer
    hooks: WebhookReceiver

    def mails_to(self, address: str) -> list[Any]:
        """The e-mails that an address got."""
        return [message for message in self.mail.accepted if message["To"] == address]

    def hooks_of(self, task: str) -> list[str]:
        """The occasions of a task that the webhook was told."""
        return [occasion for name, occasion in self.hooks.seen() if name == task]


def settings_for(mail: MailServer, hooks: WebhookReceiver) -> dict[str, Any]:
    """The settings of a server that uses them."""
    return {
        "smtp_url": mail.url,
        "notify_from": "lamia@example.org",
        "notify_webhook_urls": hooks.url,
        "notify_webhook_secret": SECRET,
        "public_url": "https://monitor.example.org/lamia/",
    }


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server."""
    with run_mail_server() as server:
        yield server


@pytest.fixture
def hooks() -> Iterator[WebhookReceiver]:
    """A receiver of webhooks."""
    with run_webhook_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def notifying(
    request: pytest.FixtureRequest, postgres: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notifying]:
    """A server with receivers for the tests of a module, on either engine."""
    folder = tmp_path_factory.mktemp("notifying")
    with ExitStack() as stack:
        url = f"sqlite:///{folder}/lamia.sqlite"
        if request.param == "postgresql":
            url = stack.enter_context(contextmanager(make_postgres)(postgres))
        mail = stack.enter_context(run_mail_server())
        hooks = stack.enter_context(run_webhook_receiver())
        server = start(stack, folder, url, **settings_for(mail, hooks))
        yield Notifying(server, mail, hooks)

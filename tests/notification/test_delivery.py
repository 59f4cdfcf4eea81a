"""Notifications arrive: at least once, and not again once they were confirmed."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

from tests.notification.conftest import settings_for
from tests.notification.outbox import end_tasks, waiting
from tests.support.harness import StartServer
from tests.support.mail_server import MailServer
from tests.support.waiting import until
from tests.support.webhook_receiver import HANG, WebhookReceiver, run_webhook_receiver

DELIVERY_TIMEOUT_S = 60.0


@pytest.mark.slow
def test_what_was_not_taken_is_sent_again(
    start_server: StartServer, database_url: str, mail: MailServer, hooks: WebhookReceiver
) -> None:
    """An error, no answer in time, a deferred e-mail: with the same id and body."""
    server = start_server(database_url, **settings_for(mail, hooks), notify_timeout=1)
    hooks.replies = [503, HANG]
    mail.replies = ["421 4.3.2 shutting down"]
    end_tasks(server, ["t"], email="ada@example.org")
    until(lambda: hooks.confirmed, server.log, DELIVERY_TIMEOUT_S)
    until(lambda: mail.accepted, server.log, DELIVERY_TIMEOUT_S)
    assert [event.get_id() for event in hooks.attempts] == hooks.confirmed * 3
    assert len({str(event.get_data()) for event in hooks.attempts}) == 1
    assert mail.subjects() == ["Task “t” has succeeded"]
    until(lambda: waiting(server) == 0, "the outbox is empty")
    assert "the webhook on 127.0.0.1 has not taken a notification, trying again" in server.log()
    assert "the mail server has not taken a notification, trying again" in server.log()
    for secret in ("secret-path", "whsec_"):
        assert secret not in server.log()


@pytest.mark.slow
def test_what_waits_survives_a_kill(
    start_server: StartServer, database_url: str, mail: MailServer
) -> None:
    """The server is killed while nobody listens, and again while the receiver has not answered.

    An e-mail that was under way at the second kill may come twice, with the same id.
    """
    with run_webhook_receiver() as gone:
        port = gone.port
    server = start_server(database_url, **settings_for(mail, gone), notify_timeout=1)
    mail.replies = ["451 4.3.0 try again later"]
    end_tasks(server, ["t"], email="ada@example.org")
    until(lambda: not mail.replies, "the first attempt by e-mail")
    server.kill()
    with run_webhook_receiver(port) as hooks:
        hooks.replies = [HANG]
        server.start()
        until(lambda: hooks.attempts, "an attempt without an answer", DELIVERY_TIMEOUT_S)
        server.kill()
        assert waiting(server) > 0
        server.start()
        until(lambda: hooks.confirmed, server.log, DELIVERY_TIMEOUT_S)
        assert [event.get_id() for event in hooks.attempts] == hooks.confirmed * 2
    until(lambda: mail.accepted, server.log, DELIVERY_TIMEOUT_S)
    until(lambda: waiting(server) == 0, "the outbox is empty")
    assert len({message["Message-ID"] for message in mail.accepted}) == 1
    assert len(mail.accepted) <= 2


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_lost_by_any_kill(
    start_server: StartServer, database_url: str, mail: MailServer, hooks: WebhookReceiver
) -> None:
    """Killed at random times, while it delivers: every task is told by both ways.

    Only what was under way at a kill may come twice, with the same id.
    """
    server = start_server(database_url, **settings_for(mail, hooks), notify_timeout=1)
    chance, kills, names = random.Random(7), 5, []
    for number in range(kills):
        batch = [f"t{number}-{place}" for place in range(30)]
        end_tasks(server, batch, email="ada@example.org")
        names += batch
        time.sleep(chance.uniform(0, 1.2))  # the time of the kill is what varies
        server.kill()
        server.start()
    until(lambda: waiting(server) == 0, server.log, 120)
    told = Counter(name for name, _ in hooks.seen())
    assert told.keys() == set(names)
    ids = {(event.get_subject(), event.get_id()) for event in hooks.attempts}
    assert len(ids) == len(names)
    mailed = Counter(str(message["Subject"]) for message in mail.accepted)
    assert mailed.keys() == {f"Task “{name}” has succeeded" for name in names}
    assert len({message["Message-ID"] for message in mail.accepted}) == len(names)
    at_once = 4
    assert sum(told.values()) - len(names) <= kills * at_once
    assert sum(mailed.values()) - len(names) <= kills * at_once


@pytest.mark.slow
def test_what_was_confirmed_is_not_sent_again(
    start_server: StartServer, sqlite_url: str, mail: MailServer, hooks: WebhookReceiver
) -> None:
    """Although nothing can be written when the receiver confirms, and for longer than a claim."""
    settings = settings_for(mail, hooks) | {"notify_timeout": 2, "database_timeout": 1}
    server = start_server(sqlite_url, **settings)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), check_same_thread=False)
    with closing(other):
        hooks.before_reply = lambda: other.execute("BEGIN IMMEDIATE")
        end_tasks(server, ["t"])
        until(lambda: hooks.confirmed, server.log)
        begin = time.monotonic()
        until(lambda: time.monotonic() - begin > 13, "the end of the claim")
        assert waiting(server) == 1
        hooks.before_reply = lambda: None
        other.rollback()
        until(lambda: waiting(server) == 0, server.log)
    end_tasks(server, ["u"])
    until(lambda: len(hooks.confirmed) == 2, server.log)
    assert hooks.seen() == [("t", "succeeded"), ("u", "succeeded")]


@pytest.mark.slow
def test_several_servers_share_the_work(
    start_server: StartServer, postgres_url: str, mail: MailServer, hooks: WebhookReceiver
) -> None:
    """Three servers on one PostgreSQL deliver everything once."""
    settings = settings_for(mail, hooks)
    servers = [start_server(postgres_url, **settings) for _ in range(3)]
    names = [f"t{number}" for number in range(60)]
    for place, server in enumerate(servers):
        end_tasks(server, names[place::3], email="ada@example.org")
    until(lambda: waiting(servers[0]) == 0, servers[0].log, DELIVERY_TIMEOUT_S)
    assert sorted(name for name, _ in hooks.seen()) == sorted(names)
    assert sorted(mail.subjects()) == sorted(f"Task “{name}” has succeeded" for name in names)


def test_what_is_futile_is_given_up(
    start_server: StartServer, sqlite_url: str, mail: MailServer, hooks: WebhookReceiver
) -> None:
    """An address that does not exist and a receiver that is gone: one attempt, and a log line."""
    server = start_server(sqlite_url, **settings_for(mail, hooks))
    hooks.replies = [410]
    mail.refused_addresses = {"nobody@example.org"}
    end_tasks(server, ["t"], email="nobody@example.org")
    until(lambda: waiting(server) == 0, server.log)
    assert len(hooks.attempts) == 1
    lines = [line for line in server.log().splitlines() if "given up" in line]
    assert len(lines) == 2
    assert all("(task “t”, SUCCEEDED) is given up after 1 attempts" in line for line in lines)
    assert any("the webhook on 127.0.0.1, it answered 410" in line for line in lines)
    assert any("the mail server, it answered 550" in line for line in lines)


def test_attempts_end_after_a_time(
    start_server: StartServer, sqlite_url: str, mail: MailServer, hooks: WebhookReceiver
) -> None:
    """After `notify_give_up_after`, a notification is given up, with a log line that says why."""
    server = start_server(sqlite_url, **settings_for(mail, hooks), notify_give_up_after=3)
    hooks.replies = [301]
    end_tasks(server, ["t"])
    until(lambda: waiting(server) == 0, server.log)
    assert "given up after 1 attempts: the webhook on 127.0.0.1, it answered 301" in server.log()
    assert len(hooks.attempts) == 1


def test_a_receiver_that_hangs_delays_no_other(
    start_server: StartServer, sqlite_url: str, mail: MailServer, hooks: WebhookReceiver
) -> None:
    """E-mails and another webhook arrive while one receiver keeps every request waiting."""
    with run_webhook_receiver() as slow:
        slow.replies = [HANG] * 100
        settings = settings_for(mail, hooks) | {"notify_webhook_urls": f"{slow.url},{hooks.url}"}
        server = start_server(sqlite_url, **settings, notify_timeout=30)
        names = [f"t{number}" for number in range(20)]
        end_tasks(server, names, email="ada@example.org")
        until(lambda: len(mail.accepted) == len(hooks.confirmed) == len(names), server.log)
        # And it is not sent more at once than it may be.
        assert len(slow.attempts) == 4
        server.stop()
    assert waiting(server) == len(names)


def test_too_many_are_dropped(start_server: StartServer, sqlite_url: str, mail: MailServer) -> None:
    """While nobody takes them, at most `max_notifications` wait; events are stored all the same."""
    with run_webhook_receiver() as gone:
        pass
    server = start_server(sqlite_url, **settings_for(mail, gone), max_notifications=7)
    end_tasks(server, [f"t{number}" for number in range(5)])
    end_tasks(server, [f"u{number}" for number in range(5)])
    assert waiting(server) == 7
    assert "3 notifications are dropped, because 7 wait for their delivery" in server.log()
    assert server.process("u4", "p")["state"] == "SUCCEEDED"


@pytest.mark.slow
def test_a_job_that_fails_for_ever_is_told_a_hundred_times(
    start_server: StartServer, sqlite_url: str, mail: MailServer, hooks: WebhookReceiver
) -> None:
    """A job that restarts and fails again and again does not fill mailboxes."""
    server = start_server(sqlite_url, **settings_for(mail, hooks))
    server.create("loop", {"name": "p"})
    for attempt in range(103):
        for event_class in ("STARTED", "FAILED"):
            server.submit("loop", "p", event_class, attempt=attempt)
    until(lambda: waiting(server) == 0, server.log)
    assert hooks.seen() == [("loop", "failed")] * 100
    assert "have had 100 notifications, and get no more" in server.log()


def test_apprise_is_a_receiver(
    start_server: StartServer, sqlite_url: str, mail: MailServer
) -> None:
    """Apprise's own JSON service stands for all of its services."""
    with run_webhook_receiver() as plain:
        with run_webhook_receiver() as gone:
            pass
        urls = [f"json://127.0.0.1:{each.port}/path-with-a-password" for each in (gone, plain)]
        server = start_server(sqlite_url, notify_apprise_urls=",".join(urls), smtp_url=mail.url)
        end_tasks(server, ["t"], email="ada@example.org")
        until(lambda: plain.bodies, server.log)
        [body] = plain.bodies
    assert (body["title"], body["type"]) == ("Task “t” has succeeded", "success")
    assert "State:      SUCCEEDED" in body["message"]
    until(lambda: mail.accepted, server.log)
    until(lambda: "Apprise's json has not taken a notification" in server.log(), server.log)
    assert "password" not in server.log()


def test_domains_of_addresses_can_be_limited(
    start_server: StartServer, sqlite_url: str, mail: MailServer
) -> None:
    """So that nobody who may create a task can send e-mails to the whole world."""
    server = start_server(
        sqlite_url, smtp_url=mail.url, notify_email_domains="example.org,Lab.example"
    )
    addresses = ("a@Example.org", "b@cc.lab.example", "c@badexample.org", "d@example.org.evil.com")
    for place, address in enumerate(addresses):
        end_tasks(server, [f"t{place}"], email=address)
    end_tasks(server, ["last"], email="last@example.org")
    until(lambda: len(mail.accepted) >= 3, server.log)
    assert {str(message["To"]) for message in mail.accepted} == {
        "a@Example.org",
        "b@cc.lab.example",
        "last@example.org",
    }
    until(lambda: waiting(server) == 0, "the outbox is empty")


def test_nobody_is_told_by_default(start_server: StartServer, sqlite_url: str) -> None:
    """Without a receiver in the settings, nothing is put into the outbox."""
    server = start_server(sqlite_url)
    end_tasks(server, ["t"], email="ada@example.org", notify=["SUCCEEDED"])
    assert waiting(server) == 0

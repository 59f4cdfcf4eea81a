"""On what people and programs are told, and what they are told."""

from __future__ import annotations

from datetime import datetime

from tests.notification.conftest import Notifying
from tests.support.waiting import until


def test_a_failed_task_is_told_with_what_failed(notifying: Notifying) -> None:
    """By e-mail and webhook, once each: the state, the counts, the first failing jobs, a link."""
    server = notifying.server
    server.create(
        "first night/…".replace("/", "-"),
        {"name": "fill", "jobCount": 30, "firstIndex": 1, "failureTolerance": 30},
        {"name": "merge"},
        email="ada@example.org",
        username="ada",
    )
    task = "first night-…"
    states = ["FAILED" if index % 2 else "DONE" for index in range(1, 31)]
    server.submit_many(
        [
            {"task": task, "process": "fill", "index": index, "eventClass": state}
            for index, state in enumerate(states, 1)
        ]
    )
    server.submit(task, "merge", "STARTED")
    server.submit(task, "merge", "TERMINATED")
    until(lambda: notifying.hooks_of(task), "the webhook")
    until(lambda: notifying.mails_to("ada@example.org"), "the e-mail")
    [event] = [event for event in notifying.hooks.attempts if event.get_subject() == task]
    assert event.get_type() == "io.github.lamia-gql.task.failed"
    assert event.get_source() == "https://monitor.example.org/lamia"
    link = "https://monitor.example.org/lamia/#/tasks/first%20night-%E2%80%A6"
    data = event.get_data()
    assert isinstance(data, dict)
    times = {name: datetime.fromisoformat(data.pop(name)) for name in ("startedAt", "finishedAt")}
    assert datetime.fromisoformat(data.pop("lastEventAt")) == times["finishedAt"]
    assert data == {
        "task": task,
        "occasion": "FAILED",
        "url": link,
        "state": "FAILED",
        "username": "ada",
        "counts": {
            "total": 31,
            "pending": 0,
            "submitted": 0,
            "held": 0,
            "running": 0,
            "done": 15,
            "failed": 15,
            "terminated": 1,
        },
        "failing": [
            {"process": "fill", "jobs": 15, "indices": list(range(1, 21, 2))},
            {"process": "merge", "jobs": 1, "indices": None},
        ],
    }
    [message] = notifying.mails_to("ada@example.org")
    assert message["Subject"] == "Task “first night-…” has failed"
    assert message["From"] == "lamia@example.org"
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_content()
    for line in (
        "Task “first night-…” has failed.",
        "State:      FAILED",
        "User:       ada",
        "Jobs:       31: 15 done, 15 failed, 1 terminated",
        "  fill: 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 and 5 more",
        "  merge",
        link,
    ):
        assert line in text.splitlines()


def test_every_end_is_told_once(notifying: Notifying) -> None:
    """Events after the end, and what is sent twice, are no new end; a restart can have another."""
    server = notifying.server
    server.create("rerun", {"name": "p"}, email="rerun@example.org")
    for event_class in ("STARTED", "FAILED", "BEAT", "BEAT"):
        server.submit("rerun", "p", event_class)
    for event_class in ("STARTED", "DONE", "BEAT"):
        server.submit("rerun", "p", event_class, attempt=1)
    server.create("after", {"name": "p"}, email="rerun@example.org")
    server.submit("after", "p", "DONE")
    until(lambda: notifying.hooks_of("after"), "the webhook of a later task")
    until(lambda: len(notifying.mails_to("rerun@example.org")) >= 3, "three e-mails")
    assert sorted(notifying.hooks_of("rerun")) == ["failed", "succeeded"]
    subjects = sorted(message["Subject"] for message in notifying.mails_to("rerun@example.org"))
    assert subjects == [
        "Task “after” has succeeded",
        "Task “rerun” has failed",
        "Task “rerun” has succeeded",
    ]


def test_what_can_no_longer_succeed_is_told_at_once(notifying: Notifying) -> None:
    """While other jobs run, and once for all processes; not again when a second one can't."""
    server = notifying.server
    server.create(
        "doomed",
        {"name": "a", "jobCount": 10, "failureTolerance": 1},
        {"name": "b", "jobCount": 10},
        {"name": "c", "jobCount": 2, "threshold": 2},
    )
    server.submit("doomed", "a", "FAILED", index=0)
    server.submit("doomed", "b", "STARTED", index=0)
    server.create("tolerated", {"name": "p"})
    server.submit("tolerated", "p", "DONE")
    until(lambda: notifying.hooks_of("tolerated"), "a later webhook")
    assert notifying.hooks_of("doomed") == []
    server.submit("doomed", "a", "FAILED", index=1)
    until(lambda: notifying.hooks_of("doomed"), "the webhook")
    server.submit("doomed", "a", "FAILED", index=2)
    server.submit("doomed", "b", "FAILED", index=1)
    server.submit("doomed", "c", "TERMINATED", index=1)
    server.submit_many(
        [
            {"task": "doomed", "process": name, "index": index, "eventClass": "DONE"}
            for name, indices in (("a", range(3, 10)), ("b", (0, *range(2, 10))), ("c", (0,)))
            for index in indices
        ]
    )
    until(lambda: len(notifying.hooks_of("doomed")) >= 2, "the end")
    assert notifying.hooks_of("doomed") == ["cannot_succeed", "failed"]


def test_a_task_says_on_what_it_gets_mail(notifying: Notifying) -> None:
    """`notify` overrides the server's setting for e-mails; an empty list means never."""
    server = notifying.server
    wishes = {"all": None, "none": [], "bad": ["FAILED"], "doom": ["CANNOT_SUCCEED", "SILENT"]}
    for name, wish in wishes.items():
        for end in ("DONE", "FAILED"):
            address = f"{name}-{end}@example.org".lower()
            server.create(f"{name} {end}", {"name": "p"}, email=address, notify=wish)
            server.submit(f"{name} {end}", "p", end)
    server.create("changed", {"name": "p"}, email="changed@example.org", notify=["FAILED"])
    answer = server.graphql(
        """mutation { updateTask(input: {name: "changed", notify: [SUCCEEDED]}) {
          task { notify } userErrors { message } } }"""
    )
    assert answer["updateTask"] == {"task": {"notify": ["SUCCEEDED"]}, "userErrors": []}
    server.submit("changed", "p", "DONE")
    until(lambda: notifying.mails_to("changed@example.org"), "the last e-mail")
    until(lambda: len(notifying.hooks_of("doom FAILED")), "the webhook")
    expected = {
        "all-done@example.org": ["Task “all DONE” has succeeded"],
        "all-failed@example.org": ["Task “all FAILED” has failed"],
        "bad-failed@example.org": ["Task “bad FAILED” has failed"],
        "doom-failed@example.org": ["Task “doom FAILED” cannot succeed"],
    }
    for name in wishes:
        for end in ("done", "failed"):
            address = f"{name}-{end}@example.org"
            subjects = [message["Subject"] for message in notifying.mails_to(address)]
            assert subjects == expected.get(address, []), address
    # Webhooks belong to the server, whatever a task says.
    assert notifying.hooks_of("none FAILED") == ["failed"]
    found = server.graphql(
        '{ a: task(name: "all DONE") { notify } b: task(name: "doom DONE") { notify } }'
    )
    assert found == {"a": {"notify": None}, "b": {"notify": ["CANNOT_SUCCEED", "SILENT"]}}


def test_who_asks_for_mail_needs_an_address(notifying: Notifying) -> None:
    """`notify` without one plain e-mail address is refused, and changes nothing."""
    server = notifying.server
    for email in (None, "ada", "a@b.org, c@d.org", "Ada <ada@b.org>", "a@b.org\nBcc: c@d.org"):
        answer = server.try_create("refused", {"name": "p"}, email=email, notify=["FAILED"])
        [error] = answer["userErrors"]
        assert (error["code"], error["field"]) == ("TEXT_INVALID", "email")
        assert "ada@example.org" in error["message"]
    # A text that is no address was always accepted, and gets no e-mail.
    server.create("accepted", {"name": "p"}, email="ada, at the office\nBcc: c@d.org")
    server.submit("accepted", "p", "DONE")
    until(lambda: notifying.hooks_of("accepted"), "the webhook")
    assert not [mail for mail in notifying.mail.accepted if "accepted" in mail["Subject"]]


def test_rest_names_the_address(notifying: Notifying) -> None:
    """`emailNotify` of Lamia's clients is the address, and the server's setting says on what."""
    server = notifying.server
    body = {"processes": {"p": None}, "emailNotify": "rest@example.org"}
    assert server.rest("POST", "/by-rest", body).status_code == 201
    server.rest("POST", "/by-rest/p/event", {"eventClass": "DONE"})
    until(lambda: notifying.mails_to("rest@example.org"), "the e-mail")


def test_a_deleted_task_is_told_all_the_same(notifying: Notifying) -> None:
    """What has happened has happened: a script may delete its task as soon as it has ended."""
    server = notifying.server
    server.create("gone", {"name": "p"}, email="gone@example.org")
    server.submit("gone", "p", "DONE")
    server.graphql('mutation { deleteTask(input: {name: "gone"}) { deletedId } }')
    until(lambda: notifying.mails_to("gone@example.org"), "the e-mail")
    until(lambda: notifying.hooks_of("gone"), "the webhook")

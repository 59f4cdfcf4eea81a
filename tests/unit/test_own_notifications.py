"""How long notifications take to come back, whichever of the two the event loop hears of first."""

from __future__ import annotations

from lamia_gql.live import own_notifications
from lamia_gql.live.own_notifications import OwnNotifications
from lamia_gql.storage.change_feed import TASKS_PER_NOTIFICATION, Change, decode, encode


def test_each_commit_is_measured_once() -> None:
    """A notification that comes before the end of its commit is known took no time."""
    notifications = OwnNotifications()
    first, second = [Change(1, 1), Change(2, 7)], [Change(1, 2)]
    notifications.send(first)
    notifications.receive(first)
    assert notifications.lags.cumulated()[-1] == 1
    before = notifications.lags.sum
    notifications.receive(second)
    assert notifications.lags.cumulated()[-1] == 1
    notifications.send(second)
    assert notifications.lags.cumulated()[-1] == 2
    assert notifications.lags.sum == before
    for number in range(3 * own_notifications.MAX_OPEN):
        # Nothing comes back of these, nor belongs to those.
        notifications.send([Change(3, number)])
        notifications.receive([Change(4, number)])
    assert notifications.lags.cumulated()[-1] == 2
    notifications.receive([Change(3, number)])
    notifications.send([Change(4, number)])
    assert notifications.lags.cumulated()[-1] == 4


def test_a_commit_of_many_tasks_has_several_notifications() -> None:
    """None of which is taken for that of a later commit."""
    notifications = OwnNotifications()
    changes = [Change(number, 1) for number in range(TASKS_PER_NOTIFICATION + 1)]
    notifications.send(changes)
    for payload in encode("server", changes):
        notifications.receive(decode(payload)[1])
    assert notifications.lags.cumulated()[-1] == 2
    notifications.send(changes[-1:])
    assert notifications.lags.cumulated()[-1] == 2

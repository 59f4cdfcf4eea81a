"""The notifications by which servers tell each other of changes."""

from __future__ import annotations

from lamia_gql.storage.change_feed import TASKS_PER_NOTIFICATION, Change, decode, encode


def test_notifications_are_few_and_fit() -> None:
    """PostgreSQL takes payloads of less than 8,000 bytes; most transactions need one."""
    changes = [Change(2**53 + number, 2**53) for number in range(1_000)]
    payloads = list(encode("f" * 32, changes))
    assert len(payloads) == -(-1_000 // TASKS_PER_NOTIFICATION)
    assert all(len(payload.encode()) < 8_000 for payload in payloads)
    decoded = [decode(payload) for payload in payloads]
    assert {server for server, _ in decoded} == {"f" * 32}
    assert [change for _, found in decoded for change in found] == changes
    assert len(list(encode("f" * 32, changes[:100]))) == 1

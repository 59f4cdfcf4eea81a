"""Random events: most of them valid, some not, some sent before."""

from __future__ import annotations

import random
import uuid
from typing import Any

CLASSES = ["SUBMITTED", "STARTED", "READY", "BEAT", "PROGRESS", "DONE", "FAILED", "TERMINATED"]
RESULTS = (
    "enough userErrors { code message }",
    "duplicate enough event { uuid } userErrors { code field message }",
    "__typename e: event { ...E __typename } event { sentAt } process { ...P } userErrors { code }",
    "process { state id progress { ratio current target basis } ... on JobArray { firstIndex } }"
    " userErrors { __typename message } duplicate",
    "enough @include(if: true) duplicate @skip(if: true) event { payload attempt hostname }",
    "event { id job { state } } process { name }",
    "process { outlook counts { done lost } } userErrors { code }",
)
"""Selections of results; the last two read the database after the commit."""
FRAGMENTS = """fragment E on Event {
  id uuid eventClass receivedAt sentAt attempt hostname clientAddress payload progress }
fragment P on Process { __typename id name kind jobCount threshold state startedAt finishedAt
  lastEventAt lastEventClass counts { pending running done } progress { ratio } enough }"""


class RandomEvents:
    """Random events: most of them valid, some not, some sent before."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._sent: list[dict[str, Any]] = []

    def event(self, *, named: bool) -> Any:
        """One event; with a UUID, if it is ``named``."""
        choose, chance = self.random.choice, self.random.random
        if named and self._sent and chance() < 0.15:
            return choose(self._sent) | ({"process": "s"} if chance() < 0.3 else {})
        process = choose("aaaawwss")
        event: dict[str, Any] = {
            "task": choose("tttu"),
            "process": process,
            "eventClass": choose(CLASSES),
        }
        if process != "s":
            event["index"] = self.random.randint(2, 2 if process == "w" else 6)
        if named:
            event["uuid"] = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        for name, values in OPTIONAL.items():
            if chance() < 0.4:
                event[name] = choose(values)
        if chance() < 0.08:
            name, values = choose(list(STRANGE.items()))
            event[name] = choose(values)
        elif named:
            self._sent.append(event)
        if chance() < 0.01:
            return choose([None, 5, [], "event", {}])
        return event

    def document(self, field: str, argument: str, declared: str) -> str:
        """A mutation with a random selection."""
        alias = self.random.choice(["", "", "x: "])
        selected = self.random.choice(RESULTS)
        if field == "submitEvents":
            more = self.random.choice(["userErrors { code field message }", "__typename", ""])
            selected = f"{more} results {{ {selected} }}"
        used = FRAGMENTS if "..." in selected and "...E" in selected else ""
        return (
            f"mutation({declared}) {{ {alias}{field}(input: {argument}) {{ {selected} }} }}{used}"
        )


OPTIONAL: dict[str, list[Any]] = {
    "attempt": [0, 1, 2, None],
    "progress": [0, 1, 0.5, 99.9, None],
    "payload": [{"a": [1, "ü", None]}, "text", 0, None, [1e300, 2**53]],
    "sentAt": [
        "2020-01-02T10:00:00Z",
        "2020-01-02T10:00:00.5",
        "2020-03-02T10:00:00.123456+05:30",
        "2021-01-02T10:00:00-00:00",
        None,
    ],
    "hostname": ["node1", "", None],
    "exitCode": [0, 1, -1, None],
    "signal": ["SIGKILL", "", None],
    "message": ["std::bad_alloc", "ü" * 512, "", None],
    "batchId": ["57.3", "58.3", "", None],
    "usage": [{"cpus": 2, "cpuSeconds": 1.5}, {"maxRssBytes": 1e9, "cpus": None}, {}, None],
}
STRANGE: dict[str, list[Any]] = {
    "task": ["none", "", 5, None, "\0"],
    "process": ["none", None, ["a"]],
    "eventClass": ["beat", "RESTARTED", 1, None, True],
    "index": [0, -1, 99, 2**31, 2.0, 2.5, "2", True, None],
    "attempt": [-1, 2**31 - 1, 2**31, 1.0, "1", False],
    "progress": [-1, 1e16, 10**30, "1", True],
    "payload": ["x" * 100_000, [[[[]]]] * 30],
    "sentAt": [
        "2020-01-02",
        "2020-01-02T10",
        "20200102T100000Z",
        "2020-01-02 10:00:00",
        "2020-01-02T24:00:00",
        "2020-01-02T23:59:60Z",
        "2020-02-30T10:00:00Z",
        "2020-01-02T10:00:00,5Z",
        "2020-01-02T10:00:00.1234567Z",
        "2020-01-02T10:00:00+24:00",
        "2020-01-02T10:00:00+0100",
        "2020-01-02T10:00:00z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:00:00-10:00",
        "1960-01-01T00:00:00Z",
        "2020-01-02T10:00:00Z\n",
        "",
        1577959200,
    ],
    "hostname": ["h" * 5_000, "a\0b", 5],
    "uuid": [
        "0198F6A2-0000-7000-8000-000000000001",
        "{0198f6a2-0000-7000-8000-000000000002}",
        "0198f6a2000070008000000000000003",
        "0198f6a2-0000-7000-8000-000000000004\n",
        "none",
        5,
    ],
    "id": ["0198f6a2-0000-7000-8000-000000000005", None],
    "exitCode": [2**31, 1.0, "1", True],
    "signal": ["S" * 33, 9],
    "message": ["ü" * 513, "a\0b", 5],
    "batchId": ["1" * 256, 57],
    "usage": [
        {"cpus": -1},
        {"cpus": "2"},
        {"cpu": 1},
        {"cpus": 1e19},
        [],
        "x",
        {"readBytes": True},
    ],
    "unknown": [None],
    "event_class": ["BEAT"],
}

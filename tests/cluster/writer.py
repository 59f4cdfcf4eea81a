"""A job that sends one event after the other, and notes which ones were acknowledged, and when."""

from __future__ import annotations

import threading
import time
import uuid
from itertools import pairwise
from typing import Self

import httpx

PACE_S = 0.05
"""The time between an answer and the next event, or the same one again."""
ANSWER_TIMEOUT_S = 60.0


class Writer:
    """Sends BEATs of one job through a balancer, until the block ends.

    It names its task to the balancer, as ``lamia-job`` does, and so prefers one server. An event
    that was not acknowledged is sent again, with the same id.

    Args:
        url: the address of the balancer.
        task: the task; the job is the first of its array ``p``.
    """

    def __init__(self, url: str, task: str) -> None:
        self._url = f"{url}/api/v0/events"
        self._headers = {"Lamia-Task": task}
        self._event = {"task": task, "process": "p", "index": 0, "eventClass": "BEAT"}
        self.acknowledged: dict[str, float] = {}
        """The ids, and when each was acknowledged, by ``time.monotonic``."""
        self.failures: list[str] = []
        """What was answered to the others, or why there was no answer."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop once the last event is acknowledged."""
        self._stopping.set()
        self._thread.join(2 * ANSWER_TIMEOUT_S)
        assert not self._thread.is_alive(), self.failures[-3:]

    def number_since(self, begin: float) -> int:
        """How many events were acknowledged since then."""
        return sum(at >= begin for at in list(self.acknowledged.values()))

    def longest_pause(self, begin: float) -> float:
        """The longest time without an acknowledged event that ended after ``begin``, in seconds.

        What of it was before ``begin`` does not count.
        """
        times = [max(begin, at) for at in self.acknowledged.values()]
        return max(later - earlier for earlier, later in pairwise(times))

    def _run(self) -> None:
        with httpx.Client(timeout=ANSWER_TIMEOUT_S, verify=False) as client:
            while not self._stopping.is_set():
                key = str(uuid.uuid4())
                while not self._send(client, key):
                    time.sleep(PACE_S)
                self.acknowledged[key] = time.monotonic()
                time.sleep(PACE_S)

    def _send(self, client: httpx.Client, key: str) -> bool:
        try:
            answer = client.post(
                self._url, json=[{**self._event, "uuid": key}], headers=self._headers
            )
        except httpx.TransportError as error:
            self.failures.append(repr(error))
            return False
        if answer.is_success and answer.json()[0].get("created"):
            return True
        self.failures.append(f"{answer.status_code} {answer.text[:200]}")
        return False

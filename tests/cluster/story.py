"""What all stories have in common: who works meanwhile, and what must be true afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.cluster.cluster import Cluster
from tests.cluster.fleet import TASKS, Fleet
from tests.cluster.subscriber import Subscriber
from tests.cluster.writer import Writer
from tests.support.waiting import until

WRITERS = 3
ENOUGH = 20
"""So many events of each writer show that writing goes on."""
WRITE_TIMEOUT_S = 60.0
FLEET_START_TIMEOUT_S = 60.0


class Witness:
    """Who writes a task, and who subscribes to its events.

    Args:
        cluster: where the task is.
        task: its name.
    """

    def __init__(self, cluster: Cluster, task: str) -> None:
        self._cluster, self.task = cluster, task
        self.writer = Writer(cluster.url, task)
        self.subscriber = Subscriber(cluster.url, task)

    def check(self) -> None:
        """Check, once nobody writes, that every acknowledged event is stored, and was received.

        The subscriber must get all events once, and in their order.
        """
        stored, received = self._cluster.stored(self.task), self.subscriber.received
        assert self.writer.acknowledged.keys() <= set(stored), "an event is lost"
        assert len(stored) == len(set(stored))
        until(
            lambda: len(received) >= len(stored),
            lambda: f"{len(received)} of {len(stored)} events were received",
        )
        assert received == stored


class Story:
    """Who works while something happens.

    Args:
        witnesses: those of all tasks.
    """

    def __init__(self, witnesses: Sequence[Witness]) -> None:
        self.tasks = [witness.task for witness in witnesses]
        self._writers = [witness.writer for witness in witnesses]
        self._subscribers = [witness.subscriber for witness in witnesses]

    def await_writing(self, begin: float) -> None:
        """Wait until each writer has written a while since ``begin``, by ``time.monotonic``."""
        until(
            lambda: all(writer.number_since(begin) >= ENOUGH for writer in self._writers),
            lambda: [writer.failures[-3:] for writer in self._writers],
            WRITE_TIMEOUT_S,
        )

    def await_subscribers(self) -> None:
        """Wait until each subscriber has received events."""
        until(lambda: all(one.received for one in self._subscribers), "the first events")

    def longest_pause(self, begin: float) -> float:
        """The longest time since ``begin`` without an event of a writer, in seconds."""
        return max(writer.longest_pause(begin) for writer in self._writers)

    def acknowledged(self, task: str) -> int:
        """How many events of a task were acknowledged."""
        return len(self._writers[self.tasks.index(task)].acknowledged)

    @property
    def failures(self) -> list[str]:
        """What went wrong with requests of the writers, which they sent again."""
        return [failure for writer in self._writers for failure in writer.failures]

    @property
    def server(self) -> int:
        """The number of a server that a subscriber is connected to."""
        return self._subscribers[0].server

    @property
    def moves(self) -> int:
        """How often this subscriber had to connect again."""
        return self._subscribers[0].connections - 1


@contextmanager
def story(cluster: Cluster, name: str, duration_s: int) -> Iterator[Story]:
    """Let the fleet, writers and subscribers work during the block, and check their work then.

    Every acknowledged event is stored, a recount finds no difference, and each subscriber has got
    all events of its task, once and in their order.

    Args:
        cluster: what they work on.
        name: a name for the tasks.
        duration_s: how long the fleet runs, in seconds; longer than the block.
    """
    tasks = [f"{name}-{number}" for number in range(WRITERS)]
    for task in tasks:
        cluster.create(task)
    witnesses = [Witness(cluster, task) for task in tasks]
    with ExitStack() as stack:
        for witness in witnesses:
            stack.enter_context(witness.writer)
            stack.enter_context(witness.subscriber)
        with Fleet(cluster.url, duration_s) as fleet:
            told = Story(witnesses)
            told.await_writing(0)
            told.await_subscribers()

            def reports() -> list[str]:
                fleet.check()
                return cluster.stored(*TASKS)

            until(reports, "events of the fleet", FLEET_START_TIMEOUT_S)
            yield told
            for witness in witnesses:
                witness.writer.stop()
            fleet.await_end()
        for witness in witnesses:
            witness.check()
    assert cluster.differences() == []

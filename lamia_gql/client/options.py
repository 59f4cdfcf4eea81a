"""How to look after a program."""

from __future__ import annotations

from lamia_gql.client.output import Reading


class Options:
    """What ``lamia-job run`` can be told."""

    def __init__(
        self,
        *,
        beat: float = 60.0,
        progress: Reading | None = None,
        stop_when_enough: bool = False,
        tail: int = 20,
    ) -> None:
        self.beat = beat
        """Seconds between beats."""
        self.progress = progress
        """What finds progress in the output."""
        self.stop_when_enough = stop_when_enough
        """Whether to end the program once it is enough."""
        self.tail = tail
        """How many last lines of stderr a failure tells of; 0 leaves stderr alone."""

"""The options of ``lamia-job run``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamia_gql.client.progress_scanner import ProgressScanner


class RunOptions:
    """How a program is run and monitored.

    Args:
        beat_interval: Seconds between beats.
        progress_scanner: Finds progress in the output; None to scan nothing.
        stop_when_enough: Whether to stop the program when the process has reached its threshold.
        tail_lines: How many last lines of stderr a failure reports; 0 leaves stderr untouched.
    """

    def __init__(
        self,
        *,
        beat_interval: float = 60.0,
        progress_scanner: ProgressScanner | None = None,
        stop_when_enough: bool = False,
        tail_lines: int = 20,
    ) -> None:
        self.beat_interval = beat_interval
        self.progress_scanner = progress_scanner
        self.stop_when_enough = stop_when_enough
        self.tail_lines = tail_lines

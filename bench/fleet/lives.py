"""How long virtual jobs wait and run: drawn from recorded executions, or from a distribution."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from lamia_gql.commands.wfformat import read_execution

MEDIAN_WAIT_S, MEDIAN_RUN_S, SPREAD = 60.0, 1200.0, 1.2
"""Without executions: log-normal, so that some jobs take ten times as long as most."""


class Life(NamedTuple):
    """How long a job waits, and runs, in seconds."""

    wait_s: float
    run_s: float


class Lives:
    """Draws lives.

    Args:
        executions: files in WfFormat, whose jobs are drawn from.
        chance: the source of chance.
    """

    def __init__(self, executions: Sequence[str], chance: random.Random) -> None:
        self._chance = chance
        self._known = [
            Life(job.start - job.ready, job.end - job.start)
            for path in executions
            for job in read_execution(path).jobs
        ]

    def draw(self) -> Life:
        """The life of one job."""
        if self._known:
            return self._chance.choice(self._known)
        spread = self._chance.lognormvariate
        return Life(MEDIAN_WAIT_S * spread(0, SPREAD), MEDIAN_RUN_S * spread(0, SPREAD))

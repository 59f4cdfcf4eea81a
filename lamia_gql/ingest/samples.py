"""Keeping the history of processes: samples of their counters, of a bounded number."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from lamia_gql.ingest.event_statements import COARSEN_SAMPLES, UPSERT_SAMPLES, sampled_counters
from lamia_gql.storage.rows import ProcessRow

MAX_SAMPLES = 256
"""How many samples a process has at most. Then its step doubles, and every other sample goes."""


class Samples:
    """The samples of changed processes, each at the time of its last event."""

    def __init__(self, processes: Iterable[tuple[ProcessRow, datetime]]) -> None:
        self.rows: list[tuple[Any, ...]] = []
        """The rows of ``UPSERT_SAMPLES``, but for those of processes that get another step."""
        self._coarser: list[dict[str, int]] = []
        self._coarser_rows: list[tuple[Any, ...]] = []
        for process, time in processes:
            self._add(process, int(time.timestamp()))

    def _add(self, process: ProcessRow, seconds: int) -> None:
        since = seconds if process.sampled_since is None else process.sampled_since
        step = process.sample_step
        while (seconds - since) // step >= MAX_SAMPLES:
            step *= 2
        key = (process.task_id, process.number, seconds - seconds % step)
        row = (*key, *sampled_counters(process))
        if step == process.sample_step and process.sampled_since is not None:
            self.rows.append(row)
            return
        self._coarser.append(
            {
                "key_task": process.task_id,
                "key_number": process.number,
                "step": step,
                "since": since,
            }
        )
        self._coarser_rows.append(row)

    def coarsen(self, connection: Connection) -> None:
        """Give processes their new step, and write their samples, which come after that."""
        if self._coarser:
            for statement in COARSEN_SAMPLES:
                connection.execute(statement, self._coarser)
            UPSERT_SAMPLES.run(connection, self._coarser_rows)

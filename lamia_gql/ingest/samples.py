"""Keeping the history of processes: samples of their counters, of a bounded number."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from lamia_gql.ingest.event_statements import COARSEN_SAMPLES, UPSERT_SAMPLES, sampled_counters
from lamia_gql.storage.rows import ProcessRow

MAX_SAMPLES = 256
"""How many samples a process has at most. Then its step doubles, and every other sample goes."""


def write_samples(connection: Connection, processes: Iterable[tuple[ProcessRow, datetime]]) -> None:
    """Write the samples of changed processes, each at the time of its last event."""
    rows, coarser = [], []
    for process, time in processes:
        seconds = int(time.timestamp())
        since = seconds if process.sampled_since is None else process.sampled_since
        step = process.sample_step
        while (seconds - since) // step >= MAX_SAMPLES:
            step *= 2
        if step != process.sample_step or process.sampled_since is None:
            coarser.append(
                {
                    "key_task": process.task_id,
                    "key_number": process.number,
                    "step": step,
                    "since": since,
                }
            )
        key = (process.task_id, process.number, seconds - seconds % step)
        rows.append((*key, *sampled_counters(process)))
    if coarser:
        for statement in COARSEN_SAMPLES:
            connection.execute(statement, coarser)
    UPSERT_SAMPLES.run(connection, rows)

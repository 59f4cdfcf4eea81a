"""Reports the progress of a training with Lightning, as a callback of its trainer.

Lightning adds it to every trainer by itself where LAMIA_URL, LAMIA_TASK and LAMIA_PROCESS are set.
Elsewhere: ``Trainer(callbacks=[LamiaCallback()])``.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import sys
from typing import TYPE_CHECKING, Any

from lamia_gql.client import Job
from lamia_gql.client.progress_counter import ProgressCounter
from lamia_gql.client.shared_job import find_shared_job

NAMES = ("lightning.pytorch", "pytorch_lightning")
"""The two names under which Lightning is published."""
VARIABLES = ("LAMIA_URL", "LAMIA_TASK", "LAMIA_PROCESS")

if TYPE_CHECKING:
    Callback = object
else:
    # The one that the program uses is there already.
    _loaded = next((name for name in NAMES if name in sys.modules), NAMES[0])
    Callback = importlib.import_module(_loaded).Callback


class LamiaCallback(Callback):
    """Sends READY when the training starts, its progress, and its metrics as payload.

    The progress is the percentage of the steps that the training will have, or the number of steps.
    The end of the job is for others to report: ``lamia-job run``, or a ``Job`` around the trainer.
    Of a distributed training, only the first process reports.

    Args:
        job: Sends the events. Defaults to one that the environment tells.
        is_count: Whether to report the number of steps, as for a process with a threshold.
        stop_when_enough: Whether to end the training after the epoch in which the process has
            reached its threshold.
    """

    def __init__(
        self, job: Job | None = None, *, is_count: bool = False, stop_when_enough: bool = False
    ) -> None:
        super().__init__()
        self._job = job
        self._is_count = is_count
        self._stop_when_enough = stop_when_enough
        self._counter: ProgressCounter | None = None

    def on_train_start(self, trainer: Any, _module: Any) -> None:
        """Send READY."""
        first = next(one for one in trainer.callbacks if isinstance(one, LamiaCallback))
        if first is not self or not trainer.is_global_zero:
            return
        self._job = self._job or find_shared_job()
        self._counter = ProgressCounter(self._job, _find_total(trainer), is_count=self._is_count)
        self._job.ready()

    def on_train_batch_end(self, trainer: Any, *_others: Any) -> None:
        """Send the progress, if it is time."""
        if self._counter is not None:
            self._counter.set(trainer.global_step, lambda: _collect_metrics(trainer))

    def on_train_epoch_end(self, trainer: Any, _module: Any) -> None:
        """Stop the training in all its processes, if it is enough."""
        if self._stop_when_enough:
            is_enough = self._job is not None and self._job.enough
            if trainer.strategy.reduce_boolean_decision(is_enough, all=False):
                trainer.should_stop = True

    def on_train_end(self, trainer: Any, _module: Any) -> None:
        """Send the last progress."""
        counter, self._counter = self._counter, None
        if counter is not None:
            counter.done = trainer.global_step
            counter.finish(_collect_metrics(trainer))


def make_callbacks() -> list[LamiaCallback]:
    """Return what Lightning adds to every trainer: nothing outside of a job."""
    return [LamiaCallback()] if all(os.environ.get(name) for name in VARIABLES) else []


def _find_total(trainer: Any) -> float | None:
    """Return the number of steps, or None for a training without an end."""
    try:
        total = float(trainer.estimated_stepping_batches)
    except Exception:  # a trainer that can't tell must train nevertheless
        return None
    return total if 0 < total < math.inf else None


def _collect_metrics(trainer: Any) -> dict[str, Any]:
    metrics = {}
    for name, value in trainer.callback_metrics.items():
        with contextlib.suppress(Exception):  # what is not a single number
            metrics[name] = float(value)
    return {"epoch": trainer.current_epoch, "metrics": metrics}

"""Takes the place of Lightning, which needs a gigabyte of PyTorch.

What is here behaves as in version 2.6: the hooks of callbacks, and what a trainer tells them.
"""

from __future__ import annotations

from typing import Any


class Callback:
    """The hooks that a trainer calls, which do nothing."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Training begins."""

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A batch is done."""

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """An epoch is done."""

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Training has ended."""


class Strategy:
    """How the processes of a training agree; here there is one."""

    @staticmethod
    def reduce_boolean_decision(decision: bool, all: bool = True) -> bool:  # noqa: A002  (its name)
        """The decision of all processes, or of any."""
        assert isinstance(decision, bool)
        assert not all
        return decision


class Trainer:
    """Trains for some epochs of some batches; without ``max_epochs``, until it should stop."""

    def __init__(
        self, callbacks: list[Any], *, max_epochs: int, batches: int, is_global_zero: bool = True
    ) -> None:
        self.callbacks = callbacks
        self.max_epochs = max_epochs
        self.batches = batches
        self.is_global_zero = is_global_zero
        self.strategy = Strategy()
        self.should_stop = False
        self.global_step = self.current_epoch = 0
        self.callback_metrics: dict[str, Any] = {}

    @property
    def estimated_stepping_batches(self) -> float:
        """How many steps there will be."""
        return float("inf") if self.max_epochs == -1 else self.max_epochs * self.batches

    def fit(self) -> None:
        """Train, and call the hooks."""
        self._call("on_train_start")
        while self.current_epoch != self.max_epochs and not self.should_stop:
            for batch_idx in range(self.batches):
                self.global_step += 1
                self.callback_metrics = {"loss": 1 / self.global_step, "shape": (2, 3)}
                self._call("on_train_batch_end", None, None, batch_idx)
            self._call("on_train_epoch_end")
            self.current_epoch += 1
        self._call("on_train_end")

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, None, *arguments)

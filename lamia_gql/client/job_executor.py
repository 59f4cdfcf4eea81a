"""An executor of ``concurrent.futures`` whose calls are the jobs of an array."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, NamedTuple, TypeVar

from lamia_gql.client.event_details import describe_exception
from lamia_gql.client.job import Job

Result = TypeVar("Result")
IS_REPORTED = "_lamia_is_reported"
"""The attribute of exceptions that a worker has reported; it is pickled with them."""


class JobExecutor(Executor):
    """Reports each call of another executor as a job: the first one has the first index.

    A call is SUBMITTED and STARTED; then it is DONE, or FAILED with its exception. One that is
    cancelled before it has begun is TERMINATED. If a worker process dies, all its pool's calls
    have FAILED.

    Args:
        executor: Makes the calls; it is shut down together with this one.
        task: Name of the task. Defaults to LAMIA_TASK.
        process: Name of the array. Defaults to LAMIA_PROCESS.
        first_index: The index of the first call.
        url: Address of the server. Defaults to LAMIA_URL.
        spool: Directory for events that can't be sent. Defaults to LAMIA_SPOOL.
    """

    def __init__(
        self,
        executor: Executor,
        task: str | None = None,
        process: str | None = None,
        *,
        first_index: int = 0,
        url: str | None = None,
        spool: str | None = None,
    ) -> None:
        self._executor = executor
        self._target = _Target(task, process, url, spool)
        self._job = Job(task, process, first_index, url=url, spool=spool)
        self._indices = itertools.count(first_index)

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Call a function later. Raises RuntimeError after :meth:`shutdown`."""
        if not self._job.reports:
            return self._executor.submit(fn, *args, **kwargs)
        index = next(self._indices)
        self._job.with_index(index).emit("SUBMITTED")
        call = partial(_report_call, self._target, index, fn)
        try:
            future = self._executor.submit(call, *args, **kwargs)
        except Exception as error:
            self._job.with_index(index).failed(message=describe_exception(error))
            raise
        future.add_done_callback(partial(self._report_missing_end, index))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls: see ``concurrent.futures.Executor``."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)
        self._job.close()

    def _report_missing_end(self, index: int, future: Future[Any]) -> None:
        """Report the end of a call that could not do that itself.

        For example its worker has died, or its arguments or its result can't be pickled.
        """
        job = self._job.with_index(index)
        if future.cancelled():
            job.terminated(message="Cancelled before it has begun.")
            return
        error = future.exception()
        if error is not None and not hasattr(error, IS_REPORTED):
            job.failed(message=describe_exception(error))


class _Target(NamedTuple):
    """Which array the calls belong to, and where it is reported; as arguments of ``Job``."""

    task: str | None
    process: str | None
    url: str | None
    spool: str | None


def _report_call(
    target: _Target, index: int, function: Callable[..., Result], *args: Any, **kwargs: Any
) -> Result:
    """Call a function in a worker."""
    task, process, url, spool = target
    try:
        with Job(task, process, index, url=url, spool=spool, quiet=True):
            return function(*args, **kwargs)
    except BaseException as error:
        # If it can't have an attribute, it is reported once more.
        with contextlib.suppress(Exception):
            setattr(error, IS_REPORTED, True)
        raise

"""Lets each of several worker processes answer for all: they ask each other for their metrics.

Workers share a port, and nobody can choose which of them answers. Each sample has the label
``worker``, so none has to be added to another, and a worker that is restarted begins its own
counters anew.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric

from lamia_gql.server.metric_families import gauge, with_label
from lamia_gql.server.metrics import Metrics

ANSWER_TIMEOUT_S = 2.0
"""How long the other workers have to answer."""
MAX_TEMPORARY_PATH = 60
"""The longest path in bytes below which a socket still has one that systems take: 104."""
FAMILY = re.compile(r"(# HELP .*\n# TYPE .*\n)((?:[^#].*\n)*)")
"""A metric in Prometheus' text format: its description, and its samples."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process among its siblings.

    Args:
        number: its number, from 0; one that is restarted has that of its predecessor.
        count: how many workers there are.
        folder: where each of them has a socket; None if there is only one.
    """

    number: int = 0
    count: int = 1
    folder: Path | None = None


class MetricsExchange:
    """The metrics of all workers. Lives as long as the application.

    Args:
        worker: this worker.
        own: its own metrics.
    """

    def __init__(self, worker: Worker, own: Metrics) -> None:
        self._worker = worker
        self._own = own
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to answer the others."""
        if self._worker.folder is not None:
            path = _socket(self._worker.folder, self._worker.number)
            self._server = await asyncio.start_unix_server(self._answer, path)

    async def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()

    async def text(self) -> str:
        """The metrics of all workers, in Prometheus' text format, version 0.0.4.

        Where a worker does not answer in time, it says so instead of the metrics of that worker.
        """
        numbers = range(self._worker.count)
        texts = await asyncio.gather(*map(self._text_of, numbers))
        up = gauge(
            "worker_up",
            "Whether a worker process has told its metrics.",
            {(str(number),): text is not None for number, text in zip(numbers, texts, strict=True)},
            ["worker"],
        )
        return _format([up]) + merge(text for text in texts if text is not None)

    async def _text_of(self, number: int) -> str | None:
        if number == self._worker.number:
            return await self._own_text()
        assert self._worker.folder is not None
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(
                    _socket(self._worker.folder, number)
                )
                try:
                    return (await reader.read()).decode() or None
                finally:
                    writer.close()
        return None

    async def _own_text(self) -> str:
        await self._own.refresh()
        # Read here, as it changes in this thread; formatting it takes ten times as long.
        found = with_label("worker", str(self._worker.number), self._own.collect())
        return await asyncio.to_thread(_format, found)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever has asked may not wait any more.
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                writer.write((await self._own_text()).encode())
                await writer.drain()
        writer.close()


class _Collected:
    """Metrics that have been read."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        return self._metrics


def _format(metrics: list[Metric]) -> str:
    return generate_latest(_Collected(metrics)).decode()


def socket_folder() -> TemporaryDirectory[str]:
    """A folder for the sockets of workers, where ``TMPDIR`` says unless that is too long."""
    is_short = len(os.fsencode(gettempdir())) <= MAX_TEMPORARY_PATH
    return TemporaryDirectory(prefix="lamia-", dir=None if is_short else "/tmp")  # noqa: S108


def _socket(folder: Path, number: int) -> Path:
    return folder / f"worker-{number}"


def merge(texts: Iterable[str]) -> str:
    """One text with the metrics of all, each metric described once."""
    samples: dict[str, list[str]] = {}
    for text in texts:
        for description, found in FAMILY.findall(text):
            samples.setdefault(description, []).append(found)
    return "".join(description + "".join(found) for description, found in samples.items())

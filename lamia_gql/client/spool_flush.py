"""``lamia-job flush``: sends what waits in a spool directory, also for earlier addresses."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lamia_gql.client.configuration import ServerConfig
from lamia_gql.client.delivery import DeliveryResult
from lamia_gql.client.flusher import Flusher
from lamia_gql.client.server_connection import ServerConnection
from lamia_gql.client.spool import Spool
from lamia_gql.client.warning_log import WarningLog

MAX_PASSES = 10
"""How often it tries to get past a failure that may be caused by one event."""


class SpoolFlush(NamedTuple):
    """What was sent, and what still waits."""

    stored: int
    """The number of events that the server has stored."""
    refused: int
    """The number of events that the server will never accept."""
    left: int
    """The number of files that could not be sent."""
    failure: str | None
    """Why sending stopped; one sentence."""
    elsewhere: dict[str, int]
    """The numbers of files that wait for other servers, by the servers' addresses."""


def flush_spools(
    server: ServerConfig, moved_from: Sequence[str], warnings: WarningLog
) -> SpoolFlush:
    """Send what waits for a server, and for its earlier addresses.

    Args:
        server: The server, and the spool directory.
        moved_from: The earlier addresses, in the order in which their events are sent.
        warnings: Gets the warnings about all events.

    Raises OSError if the spool can't be read.
    """
    spools = {url: Spool(server.spool, url) for url in (*moved_from, server.url)}
    for spool in spools.values():
        spool.check()
    connection = ServerConnection(server)
    total = DeliveryResult()
    for spool in spools.values():
        total.add(_flush(spool, connection, warnings))
    connection.close()
    return SpoolFlush(
        stored=len(total.stored),
        refused=len(total.refused),
        left=sum(len(spool.file_names()) for spool in spools.values()),
        failure=total.failure,
        elsewhere=dict(_find_others(server.spool, spools)),
    )


def _flush(spool: Spool, connection: ServerConnection, warnings: WarningLog) -> DeliveryResult:
    total = DeliveryResult()
    flusher = Flusher(connection, spool)
    for _ in range(MAX_PASSES):
        total.failure, total.may_be_event = None, False
        for result in flusher.flush():
            total.add(result)
            if result.failure is None:
                spool.down.clear()
            for warning in result.warnings:
                warnings.warn(warning.kind, warning.text)
        # Requests get smaller with every pass, until the event that makes the server fail is found.
        if not total.may_be_event:
            break
    if spool.refused.has_dropped:
        warnings.warn("full", f"{spool.refused.folder} is full: the oldest events are dropped.")
    return total


def _find_others(folder: str, known: dict[str, Spool]) -> Iterator[tuple[str, int]]:
    """Yield the addresses of other servers that files wait for, and how many these are."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        try:
            with open(os.path.join(folder, name, "server"), encoding="utf-8") as file:
                url = file.read().strip()
        except (OSError, ValueError):
            continue  # it is no part of the spool
        left = len(Spool(folder, url).file_names()) if url not in known else 0
        if left:
            yield url, left

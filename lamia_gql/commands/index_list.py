"""Selects the jobs of an array by their states, for a resubmission."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lamia_gql.commands.server_client import ServerClient, ServerClientError


def select_indices(
    url: str, task: str, process: str, states: Sequence[str], *, with_lost: bool
) -> str:
    """Return the indices of jobs in any of the states as ranges: ``813,900-904``.

    Args:
        url: The root address of the server.
        task: The name of the task.
        process: The name of the array.
        states: States of jobs.
        with_lost: Whether to add the RUNNING jobs that are LOST.

    Returns an empty text if there are none. Raises :class:`ServerClientError`, also if there is no
    such array.
    """
    with ServerClient(url) as client:
        found = client.execute(
            "select_indices", task=task, name=process, states=list(states), withLost=with_lost
        )["process"]
    if found is None:
        raise ServerClientError(f"There is no process “{process}” of a task “{task}” on {url}.")
    if found["kind"] == "SOLITARY":
        raise ServerClientError(f"“{process}” is a solitary process, whose job has no index.")
    parts = [found["selected"]]
    # Lost jobs are RUNNING, so they may be there already.
    if with_lost and "RUNNING" not in states:
        parts.append(found["lost"])
    return ",".join(filter(None, parts))


def expand(indices: str) -> Iterator[int]:
    """Yield each index in ranges like ``813,900-904``."""
    for span in indices.split(","):
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)
